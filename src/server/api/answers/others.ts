import { z } from 'zod';
import { HOOK_SCHEMES } from '../../../domain/hook.js';
import {
  agentBudget,
  anyObject,
  count,
  instant,
  maybeInstant,
  maybeText,
  quietWindow,
  spentToday,
  text,
  usage,
  vacation,
} from './parts.js';

export const agent = z.object({
  id: text,
  name: text,
  title: maybeText,
  scopes: z.array(text),
  max_tasks: count.nullable().describe('How many tasks it may have; null: as many as the configuration says'),
  budget: agentBudget.nullable().describe('What all its tasks together may use in a day'),
  disabled_at: maybeInstant,
  created_at: instant,
  updated_at: instant,
});

export const token = z.object({
  id: text,
  prefix: text,
  label: maybeText,
  scopes: z.array(text),
  created_at: instant,
  expires_at: maybeInstant,
  revoked_at: maybeInstant,
  last_used_at: maybeInstant,
});

export const newToken = token.extend({ secret: text.describe('Shown this once') });
export const createdAgent = agent.extend({ token: newToken });

const quiet = { quiet_hours: z.array(quietWindow).optional(), vacation: z.array(vacation).optional() };
export const quietAgent = agent.extend(quiet);
export const wholeAgent = quietAgent.extend({ tokens: z.array(token), spent_today: spentToday });

export const hook = z.object({
  id: text,
  name: text,
  topic: text,
  scheme: z.enum(HOOK_SCHEMES).describe('How its sender signs'),
  allow_repeats: z.boolean().describe('An equal body under a new id is an event of its own'),
  path: text.describe('Where to post, below the address of this server'),
  url: maybeText.describe('Where to post; null where public_url is not configured'),
  agent_id: text,
  created_at: instant,
  updated_at: instant,
  last_received_at: maybeInstant,
  old_secret_until: maybeInstant,
});

export const newHook = hook.extend({ secret: text.describe('Shown this once') });

export const tool = z.object({
  address: text,
  kind: z.enum(['http', 'mcp', 'llm', 'builtin']),
  title: text.optional(),
  description: text.optional(),
  input_schema: anyObject,
  output_schema: anyObject.optional(),
  side_effect: z.enum(['read', 'idempotent', 'once']),
  timeout: text.optional(),
  grants: z.array(text).optional(),
  max_text: z.object({ field: text, limit: count, mode: z.enum(['truncate', 'split']) }).optional(),
  http: anyObject.optional(),
  mcp: anyObject.optional(),
  llm: anyObject.optional(),
  builtin: anyObject.optional(),
  version: count.optional().describe('A built-in one has none'),
  created_at: instant.optional(),
  updated_at: instant.optional(),
});

export const importedTools = z.object({
  items: z.array(
    z.object({ address: text, kind: tool.shape.kind, side_effect: tool.shape.side_effect, title: maybeText }),
  ),
  created: count,
  replaced: count,
  problems: z.array(z.object({ pointer: text, message: text, hint: text.optional() })),
});

export const toolCall = z.object({
  output: z.unknown(),
  duration_ms: z.number(),
  usage: usage.nullable(),
});

export const secret = z.object({
  name: text,
  source: z.enum(['environment', 'file', 'store', 'command']),
  tools: z.array(text).nullable().describe('Addresses of the tools that may use it; null: all'),
  agents: z.array(text).nullable().describe('Names of the agents that may use it; null: all with its scope'),
  granted_to: z.array(text).optional().describe('Names of the agents with its scope'),
  updated_at: maybeInstant,
  last_used_at: maybeInstant,
  last_used_by: z.object({ tool: maybeText, agent: maybeText }).nullable(),
});

export const channel = z.object({
  name: text,
  address: text.describe('The tool that sends by it'),
  kind: z.enum(['webhook', 'ntfy', 'telegram', 'email', 'desktop']),
  buttons: z.boolean().describe('Questions by it have buttons to answer them'),
  problem: z
    .object({ kind: z.enum(['conflict', 'webhook', 'auth']), message: text, hint: text, since: instant })
    .nullable()
    .describe('Why answers do not come in by it'),
});

export const health = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  version: text,
  uptime_seconds: z.number(),
  checks: z.array(
    z.looseObject({
      name: text,
      status: z.enum(['pass', 'warn', 'fail']),
      since: instant,
      since_is_first_look: z.boolean(),
      message: text,
      hint: maybeText,
      duration_ms: z.number(),
    }),
  ),
});

export const liveness = z.object({ status: z.literal('alive') });
export const readiness = z.object({ status: z.enum(['ready', 'not_ready']) });

export const hookDelivery = z.object({
  event_id: text,
  topic: text,
  duplicate: z.boolean().describe('It was taken before: nothing runs again'),
});

export const auditEntry = z.object({
  sequence: count,
  at: instant,
  actor: text,
  actor_name: maybeText.describe('Name of the agent'),
  action: text,
  target: maybeText,
  details: anyObject,
  hash: text.describe('SHA-256 over the hash before and this entry, hex'),
});

export const service = z.object({
  id: text,
  kind: z.enum(['supervisor', 'api', 'scheduler', 'worker']),
  slot: text,
  pid: count,
  host: text,
  version: text,
  tags: z.array(text),
  started_at: instant,
  last_seen_at: instant,
  slots_total: count,
  slots_busy: count,
});

export const spendToday = z.object({
  all: spentToday.nullable().describe('All agents together; null for those who may not see all'),
  agents: z.array(z.object({ agent_id: text, name: text, spent_today: spentToday })),
  tasks: z
    .array(z.object({ task_id: text, name: text, agent_id: text, spent_today: spentToday }))
    .describe('Tasks that have a budget or used something'),
  truncated: z.boolean().describe('There are more agents or tasks than were looked at'),
});
