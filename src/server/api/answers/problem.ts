import { z } from 'zod';
import { text } from './parts.js';

/** What is answered when something is refused or fails (RFC 9457). */
export const problem = z.object({
  type: text,
  title: text,
  status: z.int(),
  detail: text,
  code: text,
  errors: z
    .array(z.object({ pointer: text, message: text, hint: text.optional() }))
    .describe('Every problem of the input, each with a JSON Pointer into it'),
  hints: z.array(text).describe('What to type next'),
  request_id: text,
});
