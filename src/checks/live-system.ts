import { randomBytes } from 'node:crypto';
import { askHealth } from '../cli/ask-health.js';
import { ApiError } from '../client/problem-error.js';
import { PaoClient } from '../client/pao-client.js';
import { EXIT, PaoError } from '../domain/errors.js';
import type { Requirement, SuiteOptions, SuiteSetUp } from './check.js';
import { PATIENCE_MS } from './until.js';
import { EphemeralSystem, type EphemeralSystemOptions } from './ephemeral-system.js';

/** A running system that checks look at from the outside. */
export interface LiveSystem {
  url: string;
  token: string;
  /** The API with that token. */
  client: PaoClient;
  /** The system when the suite started it for itself; null for one that runs anyway. */
  own: EphemeralSystem | null;
  /** How long a check waits for something to happen, milliseconds. */
  patienceMs: number;
  /** A name for something a check makes: it says so, and is another one each time. */
  name(what: string): string;
  /** A client of the same server with another token. */
  clientWith(token: string | null): PaoClient;
}

/** The tag of every task that a check makes. */
export const CHECK_TAG = 'pao-check';

/**
 * The system that was named, or one that is started for the suite.
 * @throws PaoError: exit 3 when nothing answers or starts, 4 when the token is not taken.
 */
export async function setUpLiveSystem(
  options: SuiteOptions,
  progress: (text: string) => void,
  own: Partial<EphemeralSystemOptions> = {},
): Promise<SuiteSetUp<LiveSystem>> {
  const { target, packageRoot, signal } = options;
  if (target !== null) {
    progress(`Checking ${target.url}`);
    return setUpTarget(target, signal);
  }
  progress('Starting a system to check');
  const system = await EphemeralSystem.start({ packageRoot, signal, ...own });
  return {
    context: liveSystem(system.url, system.token, system),
    target: { url: system.url, store: 'sqlite', bus: 'memory', ephemeral: true },
    has: new Set<Requirement>(['server', 'ephemeral-server', 'same-machine', 'admin']),
    secrets: [system.token],
    dispose: () => system.dispose(),
  };
}

/** What checks need to look at a server. */
export function liveSystem(url: string, token: string, own: EphemeralSystem | null): LiveSystem {
  const clientWith = (other: string | null) => new PaoClient({ url, token: other, userAgent: 'pao-check' });
  return {
    url,
    token,
    own,
    client: clientWith(token),
    clientWith,
    patienceMs: PATIENCE_MS,
    name: (what) => `check-${randomBytes(4).toString('hex')}-${what}`,
  };
}

async function setUpTarget(
  target: { url: string; token: string },
  signal: AbortSignal,
): Promise<SuiteSetUp<LiveSystem>> {
  const context = liveSystem(target.url, target.token, null);
  const report = await askHealth({ ...target, timeoutMs: 10_000, signal });
  if (!Array.isArray(report?.checks)) {
    throw new PaoError('PAO_NOT_A_PAO_SERVER', `What answers at ${target.url} is not a pao server.`, {
      exitCode: EXIT.unavailable,
      hints: ['pao status'],
    });
  }
  const part = (name: string, pattern: RegExp) =>
    pattern.exec(report.checks.find((check) => check.name === name)?.message ?? '')?.[1] ?? '';
  return {
    context,
    target: {
      url: target.url,
      store: part('store', /^(\w+)/),
      bus: part('bus', /^(\w+)/),
      ephemeral: false,
    },
    has: new Set<Requirement>([
      'server',
      ...((await isAdmin(context, signal)) ? ['admin' as const] : []),
      ...(isHere(target.url) ? ['same-machine' as const] : []),
    ]),
    dispose: async () => {},
  };
}

const isHere = (url: string) => ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);

/** @throws ApiError when the token is not taken at all. */
async function isAdmin({ client }: LiveSystem, signal: AbortSignal): Promise<boolean> {
  try {
    const me = await client.request<{ scopes?: unknown; token?: { scopes?: unknown } }>({
      method: 'GET',
      path: '/v1/agents/me',
      signal,
    });
    const scopes = me.token?.scopes ?? me.scopes;
    return Array.isArray(scopes) && scopes.includes('admin');
  } catch (error) {
    if (error instanceof ApiError && error.httpStatus === 403) return false;
    throw error;
  }
}
