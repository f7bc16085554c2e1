import { z } from 'zod';

// What the API answers with, defined once: the OpenAPI document, the output schemas of the MCP tools and the types of the
// client are held to it. Read when one of those is asked for, never to check an answer.

export const instant = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC' });
export const maybeInstant = instant.nullable();
export const text = z.string();
export const maybeText = z.string().nullable();
export const count = z.int();
export const maybeCount = z.int().nullable();
/** An object of which the API says nothing more. */
export const anyObject = z.record(z.string(), z.unknown());

export const occurrence = z.object({
  at: instant,
  local: text.describe('In the time zone of the task'),
  note: text.optional().describe('What is special about it'),
});

export const warning = z.object({
  code: text,
  message: text,
  hint: text.optional(),
  at: instant.optional().describe('The first instant it concerns'),
});

export const callError = z.object({
  kind: text,
  message: text,
  step: text.optional(),
  pointer: text.optional(),
  hint: text.optional(),
});

export const usage = z.object({
  input_tokens: z.number(),
  output_tokens: z.number(),
  estimated: z.boolean().optional(),
});

const limits = z.object({
  tokens: z.number().optional(),
  usd: z.number().optional(),
  calls: z.number().optional(),
  runs: z.number().optional(),
});

export const spend = z.object({
  tokens: z.number(),
  usd: z.number().describe('US dollars'),
  calls: z.number(),
  runs: z.number(),
  calls_of_unknown_price: z.number().describe('Of the calls, those whose money is not in usd'),
  words: text,
});

export const spentToday = spend.extend({ day: text, limits });

export const agentBudget = z.object({
  per_day: limits,
  timezone: text.optional(),
  on_exceed: text.optional(),
});

export const quietWindow = z.object({
  from: text,
  to: text,
  timezone: text,
  days: z.array(text).optional(),
  digest: z.boolean().optional(),
});
export const vacation = z.object({ from: text, to: text, timezone: text });

/** One page of a list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next_cursor: maybeText.describe('Give it as cursor for the next page; null on the last one'),
  });
