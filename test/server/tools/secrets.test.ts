import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { createSecretSource } from '../../../src/server/tools/secrets.js';
import { failureOf } from './a-tool-system.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pao-secrets-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(content: unknown, mode = 0o600): void {
  const path = join(home, 'secrets.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  chmodSync(path, mode);
}

function source(environment: Record<string, string> = {}) {
  const redactor = new Redactor();
  return { ...createSecretSource({ home, environment, redactor }), redactor };
}

describe('a secret', () => {
  it('comes from the environment before the file, and is hidden from then on', async () => {
    write({ TOKEN: 'from-the-file', OTHER: 'only-in-the-file' });
    const secrets = source({ PAO_SECRET_TOKEN: 'from-the-environment', PAO_SECRETX: 'no' });
    expect(await secrets.resolve('TOKEN', {})).toBe('from-the-environment');
    expect(await secrets.resolve('OTHER', {})).toBe('only-in-the-file');
    expect(await secrets.names()).toEqual(['OTHER', 'TOKEN']);
    expect(secrets.redactor.redactText('from-the-environment only-in-the-file')).toBe('*** ***');
  });

  it('that is changed in the file is new with the next call', async () => {
    write({ TOKEN: 'first-value' });
    const secrets = source();
    expect(await secrets.resolve('TOKEN', {})).toBe('first-value');
    write({ TOKEN: 'other-value' });
    utimesSync(join(home, 'secrets.json'), new Date(), new Date(Date.now() + 5000));
    expect(await secrets.resolve('TOKEN', {})).toBe('other-value');
  });

  it('can be limited to tools and agents', async () => {
    write({ BOT: { value: 'bot-token', tools: ['telegram.*', 'notify.webhook'], agents: ['planner'] } });
    const secrets = source();
    expect(await secrets.resolve('BOT', { tool: 'telegram.sendMessage', agent: 'planner' })).toBe(
      'bot-token',
    );
    for (const use of [
      {},
      { tool: 'telegram.sendMessage' },
      { tool: 'mail.send', agent: 'planner' },
      { tool: 'telegram.x', agent: 'other' },
    ]) {
      expect(await failureOf(secrets.resolve('BOT', use))).toMatchObject({ kind: 'auth' });
    }
  });

  it('that is missing names the places where it could be put', async () => {
    const error = await failureOf(source().resolve('NOPE', {}));
    expect(error).toMatchObject({ kind: 'config_error', retryable: false });
    expect(error.message).toContain('PAO_SECRET_NOPE');
    expect(error.message).toContain('pao secret set NOPE');
    expect(await failureOf(source().resolve('../etc', {}))).toMatchObject({ kind: 'config_error' });
  });

  it.skipIf(process.platform === 'win32')('is not taken from a file that others can read', async () => {
    write({ TOKEN: 'x-x-x-x' }, 0o644);
    const error = await failureOf(source().resolve('TOKEN', {}));
    expect(error.message).toContain('chmod 600');
  });

  it.each([
    ['no JSON', '{"TOKEN": "hunter22'],
    ['another shape', { TOKEN: { value: 'hunter22', expires: 'never' } }],
    ['no text', { TOKEN: 12 }],
  ])('is not shown when its file is %s', async (_what, content) => {
    write(content);
    const error = await failureOf(source().resolve('TOKEN', {}));
    expect(error.kind).toBe('config_error');
    expect(`${error.message}${error.stack}`).not.toContain('hunter22');
  });
});
