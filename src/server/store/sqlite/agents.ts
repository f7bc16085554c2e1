import type { Agent, AgentToken } from '../../../domain/agent.js';
import type { AgentBudget } from '../../../domain/budget.js';
import { conflict, notFound } from '../../../domain/errors.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { AgentStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { fromJson, toJson } from './json-column.js';

/** A row of `agent` as it is stored. */
export interface AgentRow {
  seq: number;
  id: string;
  name: string;
  title: string | null;
  scopes: string;
  budget: string | null;
  max_tasks: number | null;
  disabled_at: number | null;
  created_at: number;
  updated_at: number;
}

/** A row of `agent_token` with the id of its agent. */
export interface TokenRow {
  id: string;
  agent_id: string;
  hash: string;
  prefix: string;
  label: string | null;
  scopes: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
}

const SELECT_TOKEN =
  'SELECT agent_token.*, agent.id AS agent_id FROM agent_token JOIN agent ON agent.seq = agent_token.agent_seq';

/** Agents and their tokens. */
export function agentMethods(database: SqliteDatabase): AgentStore {
  return {
    createAgent: (agent, token) =>
      database.write((connection) => {
        refuseTakenName(connection, agent);
        connection
          .sql(`INSERT INTO agent (id, name, title, scopes, budget, max_tasks, disabled_at, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
          .run(
            agent.id,
            agent.name,
            agent.title,
            JSON.stringify(agent.scopes),
            toJson(agent.budget),
            agent.maxTasks,
            agent.disabledAt,
            agent.createdAt,
            agent.updatedAt,
          );
        if (token !== null) writeToken(connection, token);
      }),

    getAgent: (id) => database.read((connection) => findAgent(connection, 'id = ?', id)),

    findAgentByName: (name) =>
      database.read((connection) => findAgent(connection, 'name = ? AND disabled_at IS NULL', name)),

    listAgents: ({ limit, cursor }) =>
      database.read((connection) => {
        const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor);
        const rows = connection
          .sql('SELECT * FROM agent WHERE seq < ? ORDER BY seq DESC LIMIT ?')
          .all(before, limit + 1) as AgentRow[];
        const items = rows.slice(0, limit);
        return {
          items: items.map(toAgent),
          nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as AgentRow).seq) : null,
        };
      }),

    updateAgent: (agent, seen) =>
      database.write((connection) => {
        if (agent.disabledAt === null) refuseTakenName(connection, agent);
        return (
          connection
            .sql(
              `UPDATE agent SET name = ?, title = ?, scopes = ?, budget = ?, max_tasks = ?, disabled_at = ?, updated_at = ?
                WHERE id = ? AND updated_at = coalesce(?, updated_at)`,
            )
            .run(
              agent.name,
              agent.title,
              JSON.stringify(agent.scopes),
              toJson(agent.budget),
              agent.maxTasks,
              agent.disabledAt,
              agent.updatedAt,
              agent.id,
              seen ?? null,
            ).changes === 1
        );
      }),

    createToken: (token) => database.write((connection) => writeToken(connection, token)),

    listTokens: (agentId) =>
      database.read((connection) =>
        (
          connection
            .sql(`${SELECT_TOKEN} WHERE agent.id = ? ORDER BY agent_token.seq`)
            .all(agentId) as TokenRow[]
        ).map(toToken),
      ),

    findToken: (hash) =>
      database.snapshot((connection) => {
        const row = connection.sql(`${SELECT_TOKEN} WHERE agent_token.hash = ?`).get(hash) as
          | TokenRow
          | undefined;
        if (row === undefined) return null;
        return { token: toToken(row), agent: findAgent(connection, 'id = ?', row.agent_id) as Agent };
      }),

    updateToken: (token) =>
      database.write(
        (connection) =>
          connection
            .sql(
              'UPDATE agent_token SET label = ?, expires_at = ?, revoked_at = ?, last_used_at = ? WHERE id = ?',
            )
            .run(token.label, token.expiresAt, token.revokedAt, token.lastUsedAt, token.id).changes === 1,
      ),

    touchToken: (id, now) =>
      database.writeRelaxed((connection) => {
        connection.sql('UPDATE agent_token SET last_used_at = ? WHERE id = ?').run(now, id);
      }),
  };
}

function refuseTakenName(connection: Connection, agent: Agent): void {
  const taken = connection
    .sql('SELECT 1 FROM agent WHERE name = ? AND disabled_at IS NULL AND id <> ?')
    .get(agent.name, agent.id);
  if (taken === undefined) return;
  throw conflict(`There is an agent "${agent.name}" already.`, [`pao agent show ${agent.name}`]);
}

function findAgent(connection: Connection, where: string, value: string): Agent | null {
  const row = connection.sql(`SELECT * FROM agent WHERE ${where}`).get(value) as AgentRow | undefined;
  return row === undefined ? null : toAgent(row);
}

function writeToken(connection: Connection, token: AgentToken): void {
  const agentSeq = connection.sql('SELECT seq FROM agent WHERE id = ?').pluck().get(token.agentId) as
    | number
    | undefined;
  if (agentSeq === undefined) throw notFound('agent', token.agentId, ['pao agent list']);
  connection
    .sql(`INSERT INTO agent_token (id, agent_seq, hash, prefix, label, scopes, created_at, expires_at, revoked_at,
        last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      token.id,
      agentSeq,
      token.hash,
      token.prefix,
      token.label,
      JSON.stringify(token.scopes),
      token.createdAt,
      token.expiresAt,
      token.revokedAt,
      token.lastUsedAt,
    );
}

/** The agent that a row describes. */
export function toAgent(row: AgentRow): Agent {
  return {
    id: row.id,
    name: row.name,
    title: row.title,
    scopes: JSON.parse(row.scopes) as string[],
    budget: fromJson<AgentBudget>(row.budget),
    maxTasks: row.max_tasks,
    disabledAt: row.disabled_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The token that a row describes. */
export function toToken(row: TokenRow): AgentToken {
  return {
    id: row.id,
    agentId: row.agent_id,
    hash: row.hash,
    prefix: row.prefix,
    label: row.label,
    scopes: JSON.parse(row.scopes) as string[],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}
