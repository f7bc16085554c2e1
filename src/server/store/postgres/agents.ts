import type { Agent, AgentToken } from '../../../domain/agent.js';
import { conflict, notFound } from '../../../domain/errors.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type AgentRow, toAgent, toToken, type TokenRow } from '../sqlite/agents.js';
import { toJson } from '../sqlite/json-column.js';
import type { AgentStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';
import { violatedConstraint } from './errors.js';

const SELECT_TOKEN =
  'SELECT agent_token.*, agent.id AS agent_id FROM agent_token JOIN agent ON agent.seq = agent_token.agent_seq';

/** Agents and their tokens. */
export function agentMethods(database: PostgresDatabase): AgentStore {
  const find = async (where: string, value: string): Promise<Agent | null> => {
    const [row] = await database.read<AgentRow>(`SELECT * FROM agent WHERE ${where}`, [value]);
    return row === undefined ? null : toAgent(row);
  };
  return {
    createAgent: (agent, token) =>
      refusingTakenName(agent, () =>
        database.transaction(async (sql) => {
          await sql.run(
            `INSERT INTO agent (id, name, title, scopes, budget, max_tasks, disabled_at, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, pao_at($7), pao_at($8), pao_at($9))`,
            [
              agent.id,
              agent.name,
              agent.title,
              JSON.stringify(agent.scopes),
              toJson(agent.budget),
              agent.maxTasks,
              agent.disabledAt,
              agent.createdAt,
              agent.updatedAt,
            ],
          );
          if (token !== null) await writeToken(sql, token);
        }),
      ),

    getAgent: (id) => find('id = $1', id),

    findAgentByName: (name) => find('name = $1 AND disabled_at IS NULL', name),

    async listAgents({ limit, cursor }) {
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor);
      const rows = await database.read<AgentRow>(
        'SELECT * FROM agent WHERE seq < $1 ORDER BY seq DESC LIMIT $2',
        [before, limit + 1],
      );
      const items = rows.slice(0, limit);
      return {
        items: items.map(toAgent),
        nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as AgentRow).seq) : null,
      };
    },

    updateAgent: (agent, seen) =>
      refusingTakenName(agent, async () => {
        const changed = await database.run(
          `UPDATE agent SET name = $2, title = $3, scopes = $4, budget = $5, max_tasks = $6, disabled_at = pao_at($7),
              updated_at = pao_at($8)
            WHERE id = $1 AND updated_at = coalesce(pao_at($9), updated_at)`,
          [
            agent.id,
            agent.name,
            agent.title,
            JSON.stringify(agent.scopes),
            toJson(agent.budget),
            agent.maxTasks,
            agent.disabledAt,
            agent.updatedAt,
            seen ?? null,
          ],
        );
        return changed === 1;
      }),

    createToken: (token) => writeToken(database, token),

    listTokens: async (agentId) =>
      (
        await database.read<TokenRow>(`${SELECT_TOKEN} WHERE agent.id = $1 ORDER BY agent_token.seq`, [
          agentId,
        ])
      ).map(toToken),

    async findToken(hash) {
      const [row] = await database.read<TokenRow & Prefixed>(
        `SELECT agent_token.*, agent.id AS agent_id, agent.name AS agent_name, agent.title AS agent_title,
            agent.scopes AS agent_scopes, agent.budget AS agent_budget, agent.max_tasks AS agent_max_tasks,
            agent.disabled_at AS agent_disabled_at, agent.created_at AS agent_created_at,
            agent.updated_at AS agent_updated_at
          FROM agent_token JOIN agent ON agent.seq = agent_token.agent_seq WHERE agent_token.hash = $1`,
        [hash],
      );
      if (row === undefined) return null;
      return {
        token: toToken(row),
        agent: toAgent({
          seq: 0,
          id: row.agent_id,
          name: row.agent_name,
          title: row.agent_title,
          scopes: row.agent_scopes,
          budget: row.agent_budget,
          max_tasks: row.agent_max_tasks,
          disabled_at: row.agent_disabled_at,
          created_at: row.agent_created_at,
          updated_at: row.agent_updated_at,
        }),
      };
    },

    async updateToken(token) {
      const changed = await database.run(
        `UPDATE agent_token SET label = $2, expires_at = pao_at($3), revoked_at = pao_at($4), last_used_at = pao_at($5)
          WHERE id = $1`,
        [token.id, token.label, token.expiresAt, token.revokedAt, token.lastUsedAt],
      );
      return changed === 1;
    },

    async touchToken(id, now) {
      await database.run(
        `WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
          UPDATE agent_token SET last_used_at = pao_at($2) FROM relaxed WHERE id = $1`,
        [id, now],
      );
    },
  };
}

/** The agent's columns beside those of its token. */
interface Prefixed {
  agent_name: string;
  agent_title: string | null;
  agent_scopes: string;
  agent_budget: string | null;
  agent_disabled_at: number | null;
  agent_created_at: number;
  agent_updated_at: number;
  agent_max_tasks: number | null;
}

async function refusingTakenName<T>(agent: Agent, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (violatedConstraint(error) !== 'agent_name') throw error;
    throw conflict(`There is an agent "${agent.name}" already.`, [`pao agent show ${agent.name}`]);
  }
}

async function writeToken(sql: Sql, token: AgentToken): Promise<void> {
  const written = await sql.run(
    `INSERT INTO agent_token (id, agent_seq, hash, prefix, label, scopes, created_at, expires_at, revoked_at, last_used_at)
      SELECT $1, seq, $3, $4, $5, $6, pao_at($7), pao_at($8), pao_at($9), pao_at($10) FROM agent WHERE id = $2`,
    [
      token.id,
      token.agentId,
      token.hash,
      token.prefix,
      token.label,
      JSON.stringify(token.scopes),
      token.createdAt,
      token.expiresAt,
      token.revokedAt,
      token.lastUsedAt,
    ],
  );
  if (written === 0) throw notFound('agent', token.agentId, ['pao agent list']);
}
