import { appendFile, readFile, rm } from 'node:fs/promises';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { PaoError } from '../domain/errors.js';
import { listEvents } from './calendar-events.js';

export interface CalendarServerOptions {
  /** The .ics file; read anew on every call, so that an edit shows at once. */
  calendarPath: string;
  /**
   * When this file exists, its text says what goes wrong with the next call: `exit`, `error` or `hang`, then
   * ` once` to do so for one call only. For tests.
   */
  faultPath?: string;
  /** Each call is appended here as one JSON line. For tests. */
  journalPath?: string;
}

const instantSchema = z
  .string()
  .max(40)
  .describe('An instant, RFC 3339, for example 2026-11-24T00:00:00+02:00');
const inputSchema = z.object({
  start: instantSchema,
  end: instantSchema,
  max: z.number().int().min(1).max(500).default(50).describe('How many events at most'),
});
const outputSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      summary: z.string(),
      start: z.string().describe('RFC 3339 UTC, or a date for an event that lasts all day'),
      end: z.string(),
      all_day: z.boolean(),
      location: z.string().optional(),
    }),
  ),
});

/** Makes the calendar MCP server with its one tool, `list_events`; a factory for `serveStdio`. */
export function createCalendarServer(options: CalendarServerOptions): McpServer {
  const server = new McpServer(
    { name: 'pao-demo-calendar', version: '1.0.0' },
    { capabilities: { tools: {} } },
  );
  server.registerTool(
    'list_events',
    {
      title: 'List events',
      description: 'Events of the calendar between two instants, all-day events first, then by start',
      inputSchema,
      outputSchema,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    },
    async (input) => {
      if (options.journalPath) await appendFile(options.journalPath, `${JSON.stringify(input)}\n`);
      await misbehave(options.faultPath);
      const items = listEvents(await readFile(options.calendarPath, 'utf8'), {
        start: toInstant(input.start, 'start'),
        end: toInstant(input.end, 'end'),
        max: input.max,
      });
      const output = { items };
      return { content: [{ type: 'text', text: JSON.stringify(output) }], structuredContent: output };
    },
  );
  return server;
}

function toInstant(text: string, name: string): number {
  // Without an offset the text would mean another instant on another machine.
  const instant = /(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant)) {
    throw new PaoError(
      'PAO_INSTANT_INVALID',
      `${name} must be an RFC 3339 instant with an offset, not "${text}".`,
    );
  }
  return instant;
}

/** Does what the fault file says; a fault that ends in `once` removes the file first. */
async function misbehave(faultPath: string | undefined): Promise<void> {
  if (!faultPath) return;
  const [fault, once] = (await readFile(faultPath, 'utf8').catch(() => '')).trim().split(' ');
  if (once) await rm(faultPath);
  switch (fault) {
    case 'exit':
      process.exit(1);
      break;
    case 'error':
      throw new PaoError('PAO_DEMO_FAULT', 'The calendar is locked by another program.');
    case 'hang':
      await new Promise(() => {});
      break;
  }
}
