import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, connect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { Agent, buildConnector } from 'undici';
import type { EgressReason } from '../../domain/observability/catalogue.js';
import { ToolError } from '../../domain/tool-error.js';

/** IANA IPv4 special-purpose registry, plus multicast and the reserved block. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** What IANA sets apart inside the global unicast block 2000::/3: Teredo and ORCHID, documentation, 6to4, SRv6. */
const SPECIAL_GLOBAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16'];

const v4 = blockList(SPECIAL_V4, 'ipv4');
const v6 = blockList(SPECIAL_GLOBAL_V6, 'ipv6');
const globalUnicast = blockList(['2000::/3'], 'ipv6');
/** Cloud metadata services: a grant for a host name must not lead here. */
const linkLocalV4 = blockList(['169.254.0.0/16'], 'ipv4');
const linkLocalV6 = blockList(['fe80::/10', 'fd00:ec2::254/128'], 'ipv6');
const loopbackV4 = blockList(['127.0.0.0/8', '0.0.0.0/32'], 'ipv4');
const METADATA = new Set(['169.254.169.254', 'fd00:ec2::254', '100.100.100.200']);

function blockList(ranges: string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, prefix] = range.split('/') as [string, string];
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/**
 * Whether an IP address is on the public internet. Everything else (private, loopback, link-local, mapped, NAT64, 6to4,
 * Teredo, multicast, reserved) is not, and neither is a text that is no IP address.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !v4.check(address, 'ipv4');
    case 6:
      // Only 2000::/3 is handed out for the internet; this excludes mapped, NAT64 and local ranges all at once.
      return globalUnicast.check(address, 'ipv6') && !v6.check(address, 'ipv6');
    default:
      return false;
  }
}

function isLinkLocal(address: string): boolean {
  return isIP(address) === 4 ? linkLocalV4.check(address, 'ipv4') : linkLocalV6.check(address, 'ipv6');
}

/** Which part of the inside an address belongs to. */
function reasonFor(address: string): EgressReason {
  if (METADATA.has(address)) return 'metadata';
  if (address === '::1' || (isIP(address) === 4 && loopbackV4.check(address, 'ipv4'))) return 'loopback';
  return isIP(address) !== 0 && isLinkLocal(address) ? 'link_local' : 'private';
}

/** A refusal of the guard; `details.egress` says why, for the metric. */
export function refused(reason: EgressReason, message: string): ToolError {
  return new ToolError('blocked', message, { details: { egress: reason } });
}

/** `host:port` of a URL as grants write it, the default port filled in. */
export function targetOf(url: URL): string {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return `${url.hostname.toLowerCase()}:${port}`;
}

/** Keeps tools from reaching the inside of the network they run in (security.md C2.7). */
export interface EgressGuard {
  /**
   * Checks a URL and gives the connection pool that may be used for it.
   * @throws ToolError `blocked` when the target is not public and not granted.
   */
  agentFor(url: URL, grants: readonly string[]): Promise<Agent>;
  /**
   * Opens a plain connection, for what is not HTTP.
   * @throws ToolError `blocked` as {@link EgressGuard.agentFor}, `transport`, `canceled`.
   */
  connect(
    target: { host: string; port: number },
    grants: readonly string[],
    signal: AbortSignal,
  ): Promise<Socket>;
  close(): Promise<void>;
}

export interface EgressGuardOptions {
  /** Longest time to establish a connection, milliseconds; 10 s when left out. */
  connectTimeoutMs?: number;
  /** Connections per target; 64 when left out. */
  connections?: number;
  /** Resolves host names; the system's resolver when left out. */
  resolve?: Resolve;
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Creates the guard; undici is loaded with the first request. */
export function createEgressGuard(options: EgressGuardOptions = {}): EgressGuard {
  // Two pools: a connection that one tool's grant opened must never be reused by a tool without that grant.
  let pools: Promise<{ open: Agent; granted: Agent }> | undefined;
  let closed = false;

  const load = async () => {
    const { Agent, buildConnector } = await import('undici');
    const pool = (allowed: (address: string) => boolean) => {
      const connector = buildConnector({
        timeout: options.connectTimeoutMs ?? 10_000,
        lookup: guardedLookup(options.resolve ?? dnsLookup, allowed),
      } as buildConnector.BuildOptions);
      return new Agent({
        connections: options.connections ?? 64,
        pipelining: 1,
        keepAliveTimeout: 10_000,
        keepAliveMaxTimeout: 60_000,
        // The caller's own deadline is the total time; undici's idle timeouts would only add a second opinion.
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: guardedConnect(connector, allowed),
      });
    };
    return { open: pool(isPublicAddress), granted: pool((address) => !isLinkLocal(address)) };
  };

  return {
    async agentFor(url, grants) {
      if (closed) throw new ToolError('transport', 'The tool callers are closed.');
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        throw refused('scheme', `Only http and https may be called, not ${url.protocol}`);
      }
      if (url.username !== '' || url.password !== '') {
        throw refused(
          'credentials',
          'A URL must not carry a user name or password; use a header with a secret.',
        );
      }
      const target = targetOf(url);
      const isGranted = grants.some((grant) => grant.toLowerCase() === target);
      const literal = url.hostname.replace(/^\[(.*)\]$/, '$1');
      if (!isGranted && isIP(literal) !== 0 && !isPublicAddress(literal))
        throw blocked(target, reasonFor(literal));
      if (!isGranted && isLocalName(url.hostname)) throw blocked(target, 'loopback');
      pools ??= load();
      const { open, granted } = await pools;
      return isGranted ? granted : open;
    },
    async connect({ host, port }, grants, signal) {
      const target = `${host.toLowerCase()}:${port}`;
      const isGranted = grants.some((grant) => grant.toLowerCase() === target);
      if (!isGranted && isIP(host) !== 0 && !isPublicAddress(host)) throw blocked(target, reasonFor(host));
      if (!isGranted && isLocalName(host)) throw blocked(target, 'loopback');
      const allowed = isGranted ? (address: string) => !isLinkLocal(address) : isPublicAddress;
      return openSocket(
        { host, port, lookup: guardedLookup(options.resolve ?? dnsLookup, allowed) },
        { allowed, signal, timeoutMs: options.connectTimeoutMs ?? 10_000 },
      );
    },
    async close() {
      closed = true;
      if (!pools) return;
      const { open, granted } = await pools;
      await Promise.all([open.destroy(), granted.destroy()]);
    },
  };
}

function openSocket(
  target: { host: string; port: number; lookup: LookupFunction },
  limits: { allowed: (address: string) => boolean; signal: AbortSignal; timeoutMs: number },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(target);
    const fail = (error: Error & { code?: string }) => {
      done();
      socket.destroy();
      const text = `${target.host}:${target.port} can not be reached: ${error.message}`;
      reject(
        error instanceof ToolError
          ? error
          : new ToolError('transport', text, { details: { code: error.code ?? '' }, cause: error }),
      );
    };
    const onAbort = () => fail(new ToolError('canceled', 'The call was canceled.'));
    const done = () => {
      clearTimeout(timer);
      limits.signal.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
    };
    const timer = setTimeout(() => fail(new Error('no connection in time')), limits.timeoutMs);
    limits.signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      const address = socket.remoteAddress ?? '';
      if (!limits.allowed(address) && isIP(target.host) === 0)
        return fail(refused('rebind', `${target.host} led to ${address}, which is not public.`));
      done();
      resolve(socket);
    });
  });
}

function isLocalName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname);
}

function blocked(target: string, reason: EgressReason): ToolError {
  return refused(
    reason,
    `${target} is not a public address, and this tool has no grant for it. An operator can allow it: grants: ["${target}"].`,
  );
}

function guardedLookup(resolve: Resolve, allowed: (address: string) => boolean): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    resolve(hostname, { ...lookupOptions, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, '', 0);
      // All of them, not the first: a mixed answer is how a rebinding name gets its second try.
      const inside = addresses.find((one) => !allowed(one.address));
      const first = addresses[0];
      if (inside || !first) {
        return callback(
          refused(
            inside !== undefined && METADATA.has(inside.address) ? 'metadata' : 'rebind',
            `${hostname} leads to ${inside?.address ?? 'no address'}, which is not public.`,
          ),
          '',
          0,
        );
      }
      if (lookupOptions.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

function guardedConnect(
  connector: buildConnector.connector,
  allowed: (address: string) => boolean,
): buildConnector.connector {
  return (options, callback) => {
    connector(options, ((error: Error | null, socket: Socket | null) => {
      if (error || !socket) return callback(error ?? new Error('no connection'), null);
      const address = socket.remoteAddress ?? '';
      // A grant may be for a literal link-local address; names are checked in the lookup.
      if (!allowed(address) && isIP(options.hostname.replace(/^\[(.*)\]$/, '$1')) === 0) {
        socket.destroy();
        return callback(
          refused('rebind', `${options.hostname} led to ${address}, which is not public.`),
          null,
        );
      }
      return callback(null, socket);
    }) as buildConnector.Callback);
  };
}
