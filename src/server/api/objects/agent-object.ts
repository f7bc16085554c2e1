import { z } from 'zod';
import type { Agent, AgentToken } from '../../../domain/agent.js';
import { instant, instantOrNull, instantSchema } from './instant.js';

export const tokenObjectSchema = z.strictObject({
  id: z.string(),
  agent_id: z.string(),
  prefix: z.string().describe('The first characters of the secret, to recognise it by'),
  label: z.string().nullable(),
  scopes: z.array(z.string()).nullable().describe('null: all that its agent has'),
  created_at: instantSchema,
  expires_at: instantSchema.nullable(),
  revoked_at: instantSchema.nullable(),
  last_used_at: instantSchema.nullable(),
});

export const newTokenSchema = z.strictObject({
  ...tokenObjectSchema.shape,
  secret: z.string().describe('Shown this once; only its hash is kept'),
});

export const agentObjectSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  scopes: z.array(z.string()),
  disabled_at: instantSchema.nullable(),
  created_at: instantSchema,
  updated_at: instantSchema,
});

export function tokenObject(token: AgentToken): z.input<typeof tokenObjectSchema> {
  return {
    id: token.id,
    agent_id: token.agentId,
    prefix: token.prefix,
    label: token.label,
    scopes: token.scopes.length === 0 ? null : token.scopes,
    created_at: instant(token.createdAt),
    expires_at: instantOrNull(token.expiresAt),
    revoked_at: instantOrNull(token.revokedAt),
    last_used_at: instantOrNull(token.lastUsedAt),
  };
}

export function agentObject(agent: Agent): z.input<typeof agentObjectSchema> {
  return {
    id: agent.id,
    name: agent.name,
    title: agent.title,
    scopes: agent.scopes,
    disabled_at: instantOrNull(agent.disabledAt),
    created_at: instant(agent.createdAt),
    updated_at: instant(agent.updatedAt),
  };
}
