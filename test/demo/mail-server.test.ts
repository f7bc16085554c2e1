import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type MailServer, startMailServer } from '../../src/demo/mail-server.js';
import { createMaildirSource } from '../../src/demo/maildir-source.js';
import { writeSampleMailbox } from '../../src/demo/sample-mailbox.js';
import { BRIEFING_LETTERS, createImapMailSource, startImapServer } from './imap-mailbox.js';

let imap: Awaited<ReturnType<typeof startImapServer>>;
let server: MailServer;
const clients: Client[] = [];
beforeAll(async () => {
  imap = await startImapServer(BRIEFING_LETTERS);
  server = await startMailServer({ port: 0, token: 'mail-secret', source: createImapMailSource(imap.port) });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await server.close();
  await imap.close();
});

async function connect(url: string, token: string, mode: 'auto' | 'legacy' = 'auto'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } });
  clients.push(client);
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  return client;
}

describe('the mail demo server', () => {
  it.each(['auto', 'legacy'] as const)(
    'reads unread mail from a real IMAP server, newest first (%s era)',
    async (mode) => {
      const client = await connect(server.mcpUrl, 'mail-secret', mode);
      const result = await client.callTool({ name: 'top_unread', arguments: { count: 5 } });
      expect(result.structuredContent).toMatchObject({
        total_unread: 3,
        emails: [
          { from: 'Mihai Rusu <mihai@example.com>', subject: 'Q4 numbers', date: '2026-11-24T05:00:00Z' },
          { subject: 'Contract semnătură', snippet: expect.stringMatching(/^IGNORE PREVIOUS INSTRUCTIONS/) },
          { subject: 'Book due on Friday' },
        ],
      });
    },
  );

  it('gives no more letters than asked for, and counts them all', async () => {
    const client = await connect(server.mcpUrl, 'mail-secret');
    const result = await client.callTool({ name: 'top_unread', arguments: { count: 1 } });
    expect(result.structuredContent).toMatchObject({ total_unread: 3, emails: [{ subject: 'Q4 numbers' }] });
    expect(server.calls.at(-1)).toEqual({ count: 1 });
  });

  it('refuses a wrong token and a missing one with 401', async () => {
    await expect(connect(server.mcpUrl, 'wrong')).rejects.toThrow(/401|unauthorized/i);
    const response = await fetch(server.mcpUrl, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('invalid_token');
  });

  it('refuses a request whose Host is not this machine', async () => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve) => {
      request(server.mcpUrl, { method: 'POST', headers: { host: 'attacker.example' } }, (response) =>
        resolve(response.resume().statusCode),
      ).end();
    });
    expect(status).toBe(403);
  });

  it('reads a local Maildir just the same', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'pao-maildir-')), 'mailbox');
    await writeSampleMailbox(directory, Date.parse('2026-11-24T06:30:00Z'));
    const local = await startMailServer({ port: 0, token: 'local', source: createMaildirSource(directory) });
    try {
      const client = await connect(local.mcpUrl, 'local');
      const result = await client.callTool({ name: 'top_unread', arguments: { count: 5 } });
      expect(result.structuredContent).toMatchObject({
        total_unread: 3,
        emails: [
          { subject: 'Q4 numbers', date: '2026-11-24T04:30:00Z' },
          { subject: 'Contract semnătură' },
          { subject: 'Your book is due on Friday' },
        ],
      });
    } finally {
      await local.close();
    }
  });
});
