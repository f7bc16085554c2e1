import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { SuiteOptions, SuiteSetUp } from '../check.js';
import { EphemeralSystem } from '../ephemeral-system.js';
import { liveSystem, type LiveSystem, setUpLiveSystem } from '../live-system.js';
import { probe } from '../probe.js';
import { measureTelemetryCost, type TelemetryCost } from '../in-process/telemetry-cost.js';
import { type Family, parseExposition } from './exposition.js';
import { attachPrometheus, findProgram, type Prometheus, startPrometheus } from './prometheus.js';

/** A tool's server of the suite's own: what it was sent, and what it answers. */
export interface StubServer {
  url: string;
  /** `host:port`, as a tool's grant names it. */
  host: string;
  requests: { path: string; headers: IncomingHttpHeaders; body: string }[];
  close(): Promise<void>;
}

/** A live system, a stub to be called by its tools, and where the shipped rules are. */
export interface ObservedSystem extends LiveSystem {
  stub: StubServer;
  packageRoot: string;
  /** Value of the secret {@link SECRET_NAME}, which the system has in its environment. */
  secret: string;
  /** Values of the secrets that come from elsewhere, by name: a file, a command, and the store they are yet to be put in. */
  planted: Readonly<Record<string, string>>;
  /** A second system whose clock can be put ahead, with one worker; started when it is first asked for. */
  withClock(): Promise<LiveSystem>;
  /** What recording a metric and writing a log line cost in this process, with the code of the services. */
  telemetryCost(): Promise<TelemetryCost>;
  /** The Prometheus that was named, or one of the suite's own that scrapes this system; started when it is first asked for. */
  prometheus(): Promise<Prometheus>;
}

/** The secret that is planted, as a tool names it. */
export const SECRET_NAME = 'OBSERVED';
/** The one that is put into the encrypted store. */
export const STORED_NAME = 'OBSERVED_STORE';

/** How long a Prometheus that was named is given to answer at the start. */
const ANSWER_MS = 5000;

export interface ObservabilityOptions extends SuiteOptions {
  /** `self`: start a Prometheus for the checks; an address: use that one; null: without one. */
  prometheus: string | null;
}

/** Starts or takes a system, and the stub beside it. */
export async function setUpObserved(
  options: ObservabilityOptions,
  progress: (text: string) => void,
): Promise<SuiteSetUp<ObservedSystem>> {
  const { packageRoot, signal } = options;
  const given = await givenPrometheus(options);
  const stub = await startStub();
  const value = () => randomBytes(24).toString('base64url');
  const secret = value();
  const planted = { OBSERVED_FILE: value(), OBSERVED_COMMAND: value(), [STORED_NAME]: value() };
  const live = await setUpLiveSystem(options, progress, {
    config: {
      log_level: 'debug',
      secrets: {
        commands: {
          OBSERVED_COMMAND: [process.execPath, '-e', 'process.stdout.write(process.env.PAO_TEST_SECRET)'],
        },
      },
    },
    workers: 2,
    secrets: { OBSERVED_FILE: planted.OBSERVED_FILE },
    env: {
      [`PAO_SECRET_${SECRET_NAME}`]: secret,
      PAO_TEST_SECRET: planted.OBSERVED_COMMAND,
      OTEL_EXPORTER_OTLP_ENDPOINT: stub.url,
    },
  }).catch(async (error: unknown) => {
    await stub.close();
    throw error;
  });
  let second: Promise<EphemeralSystem> | undefined;
  const has = new Set(live.has);
  if (given !== null || (options.prometheus === 'self' && findProgram('prometheus') !== null))
    has.add('prometheus');
  let prometheus: Promise<Prometheus> | undefined;
  return {
    ...live,
    has,
    secrets: [...(live.secrets ?? []), secret, ...Object.values(planted)],
    context: {
      ...live.context,
      stub,
      packageRoot,
      secret,
      planted,
      async withClock() {
        second ??= EphemeralSystem.start({ packageRoot, signal, clock: new Date().toISOString() });
        const system = await second;
        return liveSystem(system.url, system.token, system);
      },
      telemetryCost: () => measureTelemetryCost(),
      prometheus() {
        prometheus ??=
          given === null ? startPrometheus({ ...live.context, packageRoot }) : Promise.resolve(given);
        return prometheus;
      },
    },
    async dispose() {
      await (await prometheus?.catch(() => null))?.close();
      await (await second?.catch(() => null))?.dispose();
      await stub.close();
      await live.dispose();
    },
  };
}

/**
 * @throws PaoError PAO_PROMETHEUS: exit 2 for an address that is none or without a system that it would scrape, 3 when no
 * Prometheus answers.
 */
async function givenPrometheus({
  prometheus,
  target,
  signal,
}: ObservabilityOptions): Promise<Prometheus | null> {
  if (prometheus === null || prometheus === 'self') return null;
  const refuse = (message: string, hints: string[], exitCode: number = EXIT.usage) =>
    new PaoError('PAO_PROMETHEUS', message, { exitCode, hints });
  if (!URL.canParse(prometheus) || !/^https?:$/.test(new URL(prometheus).protocol))
    throw refuse(`--prometheus takes self or an address, not ${prometheus}.`, [
      'pao check observability --prometheus http://127.0.0.1:9090 --target http://127.0.0.1:8080',
    ]);
  if (target === null)
    throw refuse('A Prometheus that runs can not scrape a system that is started for the check.', [
      `pao check observability --prometheus ${prometheus} --target http://127.0.0.1:8080`,
      'pao check observability --prometheus self',
    ]);
  const attached = attachPrometheus(prometheus);
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  await attached
    .ask('status/buildinfo', inTime)
    .catch((error: Error & { cause?: { code?: string; message?: string } }) => {
      if (signal.aborted) throw error;
      const { host } = new URL(prometheus);
      const why = error.cause?.code ?? error.cause?.message ?? error.message;
      throw refuse(
        `No Prometheus answers at ${host}: ${why}`,
        ['pao check observability --prometheus self'],
        EXIT.unavailable,
      );
    });
  return attached;
}

/** A path that holds `fail` is answered with 500, `hang` never, all others with 200; `echo` says what key it was sent. */
export async function startStub(): Promise<StubServer> {
  const requests: StubServer['requests'] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const { headers } = request;
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      requests.push({ path, headers, body });
      if (path.includes('hang')) return;
      response.writeHead(path.includes('fail') ? 500 : 200, { 'content-type': 'application/json' });
      const echo = path.includes('echo') ? { message: `Wrong key: ${headers['x-key']}` } : {};
      response.end(JSON.stringify({ ok: true, ...echo }));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** What `/metrics` says now, as text. */
export async function scrape(live: LiveSystem, signal: AbortSignal): Promise<string> {
  const { status, body } = await probe(`${live.url}/metrics`, { token: live.token, signal });
  if (status !== 200) throw new Error(`GET /metrics answered ${status}.`);
  return String(body);
}

/** One value of a metric; 0 when the series is not there. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Record<string, string>,
): number {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const samples = (families.get(name) ?? families.get(base))?.samples ?? [];
  const found = samples.find(
    (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  return found?.value ?? 0;
}

export const readMetrics = async (live: LiveSystem, signal: AbortSignal): Promise<Map<string, Family>> =>
  parseExposition(await scrape(live, signal));
