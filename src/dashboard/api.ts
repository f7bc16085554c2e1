import type { AgentObject } from '../client/api-objects.js';
import { learnTime } from './time.js';

const TIMEOUT_MS = 20_000;

/** What the API says when it does not do what it is asked (RFC 9457). */
export interface Refusal {
  status: number;
  detail: string;
  code: string;
  errors: { pointer: string; message: string; hint?: string }[];
}

/** The API said no. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.detail);
  }
}

/** Nobody answers: the server is away, or the way to it is. */
export class Unreachable extends Error {}

/** Asks `/v1` with a token; nothing else is asked, and nothing goes anywhere else. */
export class Api {
  constructor(readonly token: string) {}

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#send<T>('GET', path, undefined, signal);
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.#send<T>('POST', path, body);
  }

  delete(path: string): Promise<unknown> {
    return this.#send('DELETE', path, undefined);
  }

  async #send<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let status: number;
    let text: string;
    try {
      // Seen from the page, which may lie under a path of a proxy.
      const response = await fetch(path, {
        method,
        headers: {
          authorization: `Bearer ${this.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
      });
      const date = response.headers.get('date');
      if (date !== null) learnTime(date);
      status = response.status;
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Unreachable('pao does not answer.', { cause: error });
    }
    const answer = parse(text);
    if (status < 400) return answer as T;
    // A proxy whose server is away speaks for itself.
    if (answer === null && status >= 500) throw new Unreachable('pao does not answer.');
    const { detail, code, errors } = (answer ?? {}) as Partial<Refusal>;
    throw new Refused({
      status,
      detail: detail ?? `It was refused (${status}).`,
      code: code ?? '',
      errors: errors ?? [],
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A part of a page: what it shows, or why this token may not see it. */
export type Part<T> = { value: T } | { refusal: Refusal };

/** The answer, or that it may not be seen; a page of several parts shows the others all the same. */
export async function part<T>(answer: Promise<T>): Promise<Part<T>> {
  try {
    return { value: await answer };
  } catch (error) {
    if (error instanceof Refused && error.refusal.status === 403) return { refusal: error.refusal };
    throw error;
  }
}

/** Who the token is of, and what it may do. */
export interface Me {
  agent: AgentObject;
  tokenId: string | null;
  label: string | null;
  may(scope: string): boolean;
}

/** Asks who the token is of. @throws Refused 401 when it is none. */
export async function whoAmI(api: Api): Promise<Me> {
  const agent = await api.get<AgentObject>('v1/agents/me');
  const own = agent.tokens?.find(({ prefix }) => api.token.startsWith(prefix));
  const scopes = own?.scopes ?? agent.scopes;
  const has = (all: readonly string[], scope: string) => all.includes('admin') || all.includes(scope);
  return {
    agent,
    tokenId: own?.id ?? null,
    label: own?.label ?? null,
    may: (scope) => has(scopes, scope) && has(agent.scopes, scope),
  };
}
