import { z } from 'zod';
import { type AgentBudget, agentBudgetSchema } from './budget.js';
import { cut } from './errors.js';
import { nearest } from './nearest.js';
import { label, taskNameSchema } from './task.js';

/**
 * Scopes with a fixed name (interfaces.md); `secrets:use:<name>` and `tool:<address or prefix*>` come on top. `approvals:ask`:
 * its holder is a program that shows a person questions (MCP elicitation) and brings back what they said; it decides nothing
 * by itself.
 */
export const FIXED_SCOPES = [
  'admin',
  'tasks:read',
  'tasks:write',
  'tasks:spawn',
  'runs:read',
  'runs:write',
  'approvals:ask',
  'approvals:decide',
  'events:read',
  'events:write',
  'tools:read',
  'tools:write',
  'agents:read',
  'metrics:read',
  'audit:read',
] as const;

/** What a new agent may do when nothing is said. */
export const DEFAULT_SCOPES: string[] = [
  'tasks:read',
  'tasks:write',
  'runs:read',
  'runs:write',
  'events:read',
  'events:write',
  'tools:read',
];

/** What the agent of an MCP client may do: a model that works for a person who sits before it, and decides for themselves. */
export const MCP_AGENT_SCOPES: string[] = [...DEFAULT_SCOPES, 'approvals:ask', 'tool:*'];

export const scopeSchema = z
  .string()
  .max(200)
  .superRefine((scope, context) => {
    const isKnown =
      (FIXED_SCOPES as readonly string[]).includes(scope) ||
      /^secrets:use:[A-Za-z_][A-Za-z0-9_]*$/.test(scope) ||
      /^tool:(\*|[a-z][A-Za-z0-9_.-]*\*?)$/.test(scope);
    if (isKnown) return;
    const near = nearest(scope, FIXED_SCOPES);
    const all = `Scopes are ${FIXED_SCOPES.join(', ')}, secrets:use:<name>, tool:<address or prefix*>`;
    context.addIssue({
      code: 'custom',
      message: `"${cut(scope, 60)}" is not a scope`,
      params: { hint: near === null ? all : `Did you mean "${near}"?` },
    });
  });

/** How many tasks that are not canceled an agent may have. */
export const maxTasksSchema = z.int().min(0).max(1_000_000);

export const agentInputSchema = z.strictObject({
  name: taskNameSchema,
  title: label(200).optional(),
  scopes: z.array(scopeSchema).max(100).default(DEFAULT_SCOPES),
  budget: agentBudgetSchema.optional(),
  /** As many as the configuration says when left out. */
  max_tasks: maxTasksSchema.optional(),
});

export interface Agent {
  id: string;
  name: string;
  title: string | null;
  scopes: string[];
  /** What all its tasks together may use. */
  budget: AgentBudget | null;
  /** How many tasks it may have that are not canceled; null: as many as the configuration says. */
  maxTasks: number | null;
  /** Set when the agent was deleted; its tokens are dead, its history stays. */
  disabledAt: number | null;
  createdAt: number;
  updatedAt: number;
}

/** A token as stored: only its hash (SHA-256, hex), never the secret. */
export interface AgentToken {
  id: string;
  agentId: string;
  hash: string;
  /** The first characters of the secret, to recognise it by. */
  prefix: string;
  label: string | null;
  scopes: string[];
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

/** Whether the scopes allow one thing; `admin` allows all. */
export function hasScope(scopes: readonly string[], wanted: string): boolean {
  return scopes.includes('admin') || scopes.includes(wanted);
}

/** Whether the scopes allow calling a tool: `tool:<address>`, or a prefix that ends in `*`. */
export function mayUseTool(scopes: readonly string[], address: string): boolean {
  return scopes.some((scope) => {
    if (scope === 'admin') return true;
    if (!scope.startsWith('tool:')) return false;
    const pattern = scope.slice(5);
    return pattern.endsWith('*') ? address.startsWith(pattern.slice(0, -1)) : pattern === address;
  });
}

/**
 * What a task may do: what its agent could do when the task was created, and still may (interfaces.md).
 * @returns the narrower set; a wildcard in one set meets exact names of the other.
 */
export function intersectScopes(then: readonly string[], now: readonly string[]): string[] {
  if (then.includes('admin')) return [...now];
  if (now.includes('admin')) return [...then];
  const kept = new Set<string>();
  for (const a of then) {
    for (const b of now) {
      const narrow = narrower(a, b);
      if (narrow !== null) kept.add(narrow);
    }
  }
  return [...kept];
}

function narrower(a: string, b: string): string | null {
  if (a === b) return a;
  if (!a.startsWith('tool:') || !b.startsWith('tool:')) return null;
  if (a.endsWith('*') && b.startsWith(a.slice(0, -1))) return b;
  if (b.endsWith('*') && a.startsWith(b.slice(0, -1))) return a;
  return null;
}
