import { z } from 'zod';
import type { ListedTool } from '../services/tool-directory.js';
import { instant, instantSchema } from './instant.js';

export const toolObjectSchema = z
  .looseObject({
    address: z.string(),
    kind: z.enum(['http', 'mcp', 'llm', 'builtin']),
    input_schema: z.record(z.string(), z.unknown()),
    side_effect: z.enum(['read', 'idempotent', 'once']),
    is_builtin: z.boolean(),
    version: z.int().nullable(),
    created_by: z.string().nullable(),
    created_at: instantSchema.nullable(),
    updated_at: instantSchema.nullable(),
  })
  .describe('The tool as it was handed in, defaults filled in; secrets stay references');

export function toolObject({ tool, stored }: ListedTool): z.input<typeof toolObjectSchema> {
  return {
    ...tool,
    is_builtin: stored === null,
    version: stored?.version ?? null,
    created_by: stored?.createdBy ?? null,
    created_at: stored === null ? null : instant(stored.createdAt),
    updated_at: stored === null ? null : instant(stored.updatedAt),
  };
}
