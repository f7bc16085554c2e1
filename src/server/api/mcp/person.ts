import { randomUUID } from 'node:crypto';
import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import type { Caller } from '../operation.js';

/** The marks a session of the 2025 era: its client can ask its person. It holds nothing else. */
const SESSION = 'asks-';
/** How long a client of the 2025 era may take to answer, milliseconds. */
const PATIENCE_MS = 10 * 60_000;

/** What a person is asked: a form of flat fields. */
export interface Question {
  /** The answer is to this question and no other. */
  id: string;
  message: string;
  requestedSchema: Parameters<typeof inputRequired.elicit>[0]['requestedSchema'];
  /** Comes back with the answer, where the call is made anew for it. */
  state?: string;
}

export interface PersonsAnswer {
  action: 'accept' | 'decline' | 'cancel';
  content: Record<string, unknown>;
}

/** The person in front of a client that can ask them (MCP elicitation). */
export interface Person {
  /** What the question of the round before carried. */
  state: string | null;
  /** The answer comes as a request of its own, which must reach this very process. */
  isBoundHere: boolean;
  /** @returns the answer, or what the client must be answered with so that it asks and calls again (2026-07-28). */
  ask(question: Question): Promise<PersonsAnswer | InputRequiredResult>;
}

interface Message {
  id?: unknown;
  method?: unknown;
  params?: { capabilities?: { elicitation?: unknown }; _meta?: object };
  result?: { action?: unknown; content?: unknown };
}

/**
 * Asks persons through clients of both eras. In 2026-07-28 the call ends with the question and is made again with the
 * answer. Before, the question travels on the stream of the call and the answer comes as a message of its own; a session
 * id is given to clients that can do so, for no other reason.
 */
export class Persons {
  readonly #open = new Map<string, { tokenId: string; answer(given: PersonsAnswer): void }>();

  /** @returns the session id that the answer to this `initialize` must carry; null: none. */
  sessionOf(body: unknown): string | null {
    const { method, params } = (body ?? {}) as Message;
    return method === 'initialize' && canFillForms(params?.capabilities?.elicitation)
      ? SESSION + randomUUID()
      : null;
  }

  /** Takes a client's answer to a question. @returns false when the message is something else. */
  takeAnswer(body: unknown, caller: Caller): boolean {
    const { id, method, result } = (body ?? {}) as Message;
    if (method !== undefined || typeof id !== 'string') return false;
    const open = this.#open.get(id);
    if (open === undefined || open.tokenId !== caller.token.id) return false;
    const { action, content } = result ?? {};
    open.answer({
      action: action === 'accept' || action === 'decline' ? action : 'cancel',
      content: (content ?? {}) as Record<string, unknown>,
    });
    return true;
  }

  /** Whether the client that sends this can ask its person. @param session the id it names. */
  canAsk(body: unknown, session: string | string[] | undefined): boolean {
    if (typeof session === 'string') return session.startsWith(SESSION);
    const meta = ((body ?? {}) as Message).params?._meta;
    return canFillForms(elicitationOf(meta));
  }

  /** @returns null when the client of this request can not ask its person. */
  of(server: McpServer, { mcpReq, http }: ServerContext, caller: Caller): Person | null {
    const { envelope } = mcpReq;
    if (envelope !== undefined) return canFillForms(elicitationOf(envelope)) ? byCallingAgain(mcpReq) : null;
    if (http?.req?.headers.get('mcp-session-id')?.startsWith(SESSION) !== true) return null;
    return {
      state: null,
      isBoundHere: true,
      ask: async ({ message, requestedSchema }) => {
        const id = `pao-${randomUUID()}`;
        const params = { message, requestedSchema };
        const answered = this.#wait(id, caller, mcpReq.signal);
        await server.server.transport?.send(
          { jsonrpc: '2.0', id, method: 'elicitation/create', params },
          { relatedRequestId: mcpReq.id },
        );
        return answered;
      },
    };
  }

  #wait(id: string, caller: Caller, signal: AbortSignal): Promise<PersonsAnswer> {
    return new Promise((resolve) => {
      const answer = (given: PersonsAnswer) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', none);
        this.#open.delete(id);
        resolve(given);
      };
      const none = () => answer({ action: 'cancel', content: {} });
      const timer = setTimeout(none, PATIENCE_MS).unref();
      signal.addEventListener('abort', none, { once: true });
      this.#open.set(id, { tokenId: caller.token.id, answer });
    });
  }
}

function byCallingAgain(mcpReq: ServerContext['mcpReq']): Person {
  return {
    state: mcpReq.requestState<string>() ?? null,
    isBoundHere: false,
    async ask({ id, message, requestedSchema, state }) {
      const given = inputResponse(mcpReq.inputResponses, id);
      if (given.kind === 'elicit') return { action: given.action, content: given.content ?? {} };
      return inputRequired({
        inputRequests: { [id]: inputRequired.elicit({ message, requestedSchema }) },
        ...(state === undefined ? {} : { requestState: state }),
      });
    },
  };
}

/** What a client of 2026 says of itself with each request. */
function elicitationOf(envelope: object | undefined): unknown {
  const said = (envelope as Record<string, unknown> | undefined)?.[CLIENT_CAPABILITIES_META_KEY];
  return (said as { elicitation?: unknown } | undefined)?.elicitation;
}

/** `{}` is what the capability was before there were modes, and means forms. */
function canFillForms(elicitation: unknown): boolean {
  if (typeof elicitation !== 'object' || elicitation === null) return false;
  return 'form' in elicitation || !('url' in elicitation);
}
