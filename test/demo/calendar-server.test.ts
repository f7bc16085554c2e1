import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, describe, expect, it } from 'vitest';

const entry = fileURLToPath(new URL('../../src/demo/servers/calendar.ts', import.meta.url));
const calendar = fileURLToPath(new URL('fixtures/briefing.ics', import.meta.url));
const day = { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00' };

const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

/** A real MCP client in front of the real process. */
async function connect(...args: string[]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  clients.push(client);
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: ['--import', 'tsx', entry, '--calendar', calendar, ...args],
      // The events of a file do not depend on where the process runs.
      env: { TZ: 'Pacific/Auckland' },
    }),
  );
  return client;
}

describe('the calendar demo server', () => {
  it('lists its tool with input and output schema over stdio', async () => {
    const client = await connect();
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual(['list_events']);
    expect(tools[0]?.inputSchema.required).toEqual(['start', 'end']);
    expect(tools[0]?.outputSchema?.required).toEqual(['items']);
    expect(tools[0]?.annotations).toMatchObject({ readOnlyHint: true });
  });

  it('answers the events of a day and keeps a journal of its calls', async () => {
    const journal = join(mkdtempSync(join(tmpdir(), 'pao-calendar-')), 'journal');
    const client = await connect('--journal', journal);
    const result = await client.callTool({ name: 'list_events', arguments: { ...day, max: 2 } });
    expect(result.structuredContent).toMatchObject({
      items: [{ summary: "Ana's birthday" }, { summary: 'Daily standup', start: '2026-11-24T07:30:00Z' }],
    });
    expect(JSON.parse(readFileSync(journal, 'utf8'))).toEqual({ ...day, max: 2 });
  });

  it('answers isError for an instant without an offset', async () => {
    const client = await connect();
    const result = await client.callTool({
      name: 'list_events',
      arguments: { ...day, start: '2026-11-24T00:00:00' },
    });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result.content)).toContain('with an offset');
  });

  it('fails as it is told: an error once, then death in mid-call', async () => {
    const fault = join(mkdtempSync(join(tmpdir(), 'pao-calendar-')), 'fault');
    const client = await connect('--fault', fault);
    writeFileSync(fault, 'error once');
    expect(await client.callTool({ name: 'list_events', arguments: day })).toMatchObject({ isError: true });
    expect((await client.callTool({ name: 'list_events', arguments: day })).isError).toBeFalsy();
    writeFileSync(fault, 'exit');
    await expect(client.callTool({ name: 'list_events', arguments: day })).rejects.toThrow(/closed/i);
  });
});
