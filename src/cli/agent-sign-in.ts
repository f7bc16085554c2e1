import { ApiError } from '../client/problem-error.js';
import type { AgentObject } from '../client/api-objects.js';
import { PaoClient } from '../client/pao-client.js';
import { MCP_AGENT_SCOPES } from '../domain/agent.js';
import { cut, EXIT, PaoError } from '../domain/errors.js';
import { taskNameSchema } from '../domain/task.js';
import {
  KEPT_TOKEN_LABEL,
  type KeptToken,
  readKeptToken,
  renewKeptToken,
} from '../server/secrets/kept-token.js';
import type { Connection } from './connection.js';

/** What speaking as an agent takes. */
interface AgentSignInOptions {
  /** The data directory. */
  home: string;
  /** The name of the agent. */
  agent: string;
  /** The server, with the administrator's token of this data directory. */
  admin(): Connection;
  /** Told once when the agent is made. */
  made(agent: string): void;
  signal: AbortSignal;
}

/** @throws PaoError exit 2 when no agent can be named so. */
export function checkAgentName(name: string): void {
  const checked = taskNameSchema.safeParse(name);
  if (checked.success) return;
  throw new PaoError(
    'PAO_AGENT_NAME',
    `"${cut(name, 80)}" is no name of an agent: it ${checked.error.issues[0]?.message}.`,
    { exitCode: EXIT.usage, hints: ['--agent claude-code'] },
  );
}

/**
 * @param options.token what else names a token: `PAO_TOKEN`, `--token-file`.
 * @returns the connection to speak with, as the relay asks for it.
 * @throws PaoError exit 2 when a token is named as well, or the name is none.
 */
export function agentSpeaker({
  token,
  ...options
}: AgentSignInOptions & { token: string | null }): (refused?: string | null) => Promise<Connection> {
  const { agent } = options;
  if (token !== null) {
    throw new PaoError('PAO_AGENT_OR_TOKEN', `Both --agent ${agent} and ${token} say who speaks.`, {
      exitCode: EXIT.usage,
      hints: [
        token === 'PAO_TOKEN' ? 'env -u PAO_TOKEN pao mcp --agent …' : `Leave ${token} out`,
        'Leave --agent out',
      ],
    });
  }
  checkAgentName(agent);
  const signIn = new AgentSignIn(options);
  return (refused) => signIn.connection(refused ?? null);
}

/**
 * Speaks as one agent of this data directory, which it makes with the administrator's rights when it is not there: with
 * the scopes for working through MCP, without the one to decide for a person. Its token is kept in a private file, and
 * another takes its place when the server refuses it.
 */
class AgentSignIn {
  #kept: KeptToken | null = null;
  #under: Promise<KeptToken> | null = null;

  constructor(private readonly options: AgentSignInOptions) {}

  /**
   * @param refused a token that the server did not take.
   * @throws PaoError when the agent can not be made: no server, no administrator's token, or it was revoked.
   */
  async connection(refused: string | null = null): Promise<Connection> {
    const { home, agent, admin } = this.options;
    const connection = admin();
    // Without it the server is that of another data directory: no token of this one is sent there.
    if (connection.token === null) throw noAdministrator(home, connection.url);
    this.#kept ??= await readKeptToken(home, agent);
    if (this.#kept === null || this.#kept.token === refused) {
      this.#under ??= renewKeptToken(home, agent, refused, (before) =>
        this.#make(connection, before),
      ).finally(() => {
        this.#under = null;
      });
      this.#kept = await this.#under;
    }
    return { ...connection, token: this.#kept.token };
  }

  async #make(admin: Connection, before: KeptToken | null): Promise<KeptToken> {
    const { agent: name, made, signal } = this.options;
    const client = new PaoClient(admin);
    const found = async (idOrName: string): Promise<AgentObject | null> => {
      const agent = await client.getAgent(idOrName, { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.httpStatus === 404) return null;
        throw error;
      });
      // `me` and ids are other agents.
      return agent?.name === name ? agent : null;
    };
    let agent = await found(name);
    if (agent === null) {
      // Who ended it wants it to stay so.
      if (before !== null && (await found(before.agent_id)) !== null) throw wasRevoked(name);
      try {
        const { id, token } = await client.createAgent(
          { name, scopes: MCP_AGENT_SCOPES, token_label: KEPT_TOKEN_LABEL },
          { signal },
        );
        made(name);
        return { agent: name, agent_id: id, token: token.secret };
      } catch (error) {
        if (!(error instanceof ApiError && error.httpStatus === 409)) throw error;
        // One of another data directory was quicker.
        agent = await found(name);
        if (agent === null) throw error;
      }
    }
    if (agent.scopes.includes('admin')) throw isAdministrator(name);
    const token = await client.createToken(agent.id, { label: KEPT_TOKEN_LABEL }, { signal });
    return { agent: name, agent_id: agent.id, token: token.secret };
  }
}

const noAdministrator = (home: string, url: string) =>
  new PaoError(
    'PAO_AGENT_NO_ADMIN',
    `The data directory ${home} has no administrator's token for ${url}, which --agent needs.`,
    { exitCode: EXIT.unavailable, hints: ['pao start local', 'PAO_TOKEN=pao_… pao mcp'] },
  );

const wasRevoked = (name: string) =>
  new PaoError('PAO_AGENT_REVOKED', `The agent ${name} was revoked.`, {
    exitCode: EXIT.forbidden,
    hints: [`pao agent create ${name} ${MCP_AGENT_SCOPES.map((scope) => `--scope "${scope}"`).join(' ')}`],
  });

const isAdministrator = (name: string) =>
  new PaoError('PAO_AGENT_ADMIN', `The agent ${name} is an administrator; --agent makes no token for one.`, {
    exitCode: EXIT.usage,
    hints: ['Choose another name', 'pao mcp without --agent speaks as the administrator'],
  });
