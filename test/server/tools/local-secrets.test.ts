import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { LocalSecrets, localSecretsFile } from '../../../src/server/secrets/local-secrets.js';
import { keyFile, makeKey } from '../../../src/server/secrets/secret-keys.js';
import { createSecretSource } from '../../../src/server/tools/secrets.js';
import { failureOf } from './a-tool-system.js';

const NOW = Date.UTC(2026, 10, 24);
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pao-secrets-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const store = (environment: Record<string, string> = {}) => new LocalSecrets({ home, environment });
const valueOf = async (name: string, environment: Record<string, string> = {}) =>
  (await store(environment).readAll()).get(name)?.value;
const edit = (change: (file: { secrets: Record<string, Record<string, unknown>> }) => void) => {
  const file = JSON.parse(readFileSync(localSecretsFile(home), 'utf8')) as {
    secrets: Record<string, Record<string, unknown>>;
  };
  change(file);
  writeFileSync(localSecretsFile(home), JSON.stringify(file));
};

describe('the encrypted store', () => {
  it('gives back what was stored, and shows none of it in its files', async () => {
    expect(await store().set('TOKEN', 'tökén\nof two lines', { tools: ['telegram.*'] }, NOW)).toBe('created');
    expect(await store().set('OTHER', 'other-value', {}, NOW)).toBe('created');
    expect(await store().set('TOKEN', 'second-value', {}, NOW + 1000)).toBe('replaced');
    expect(await valueOf('TOKEN')).toBe('second-value');
    expect(await store().list()).toEqual([
      { name: 'OTHER', created_at: '2026-11-24T00:00:00.000Z', updated_at: '2026-11-24T00:00:00.000Z' },
      {
        name: 'TOKEN',
        tools: ['telegram.*'],
        created_at: '2026-11-24T00:00:00.000Z',
        updated_at: '2026-11-24T00:00:01.000Z',
      },
    ]);
    for (const path of [localSecretsFile(home), keyFile(home)]) {
      expect(readFileSync(path, 'utf8')).not.toMatch(/second-value|other-value/);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(await store().delete('TOKEN')).toBe(true);
    expect(await store().delete('TOKEN')).toBe(false);
    expect(await valueOf('OTHER')).toBe('other-value');
  });

  it('refuses a value that was moved to another name, or whose limits were widened', async () => {
    await store().set('ONE', 'value-of-one', { tools: ['mail.send'] }, NOW);
    await store().set('TWO', 'value-of-two', {}, NOW);
    edit(({ secrets }) => {
      secrets['TWO'] = { ...secrets['TWO'], sealed: secrets['ONE']?.['sealed'] };
    });
    await expect(store().readAll()).rejects.toThrow(/The secret TWO .* was damaged or changed/);
    edit(({ secrets }) => {
      delete secrets['TWO'];
      delete secrets['ONE']?.['tools'];
    });
    await expect(store().readAll()).rejects.toThrow(/The secret ONE .* was damaged or changed/);
  });

  it('is refused when others on the machine may read it or its key', async () => {
    await store().set('TOKEN', 'first-value', {}, NOW);
    for (const path of [localSecretsFile(home), keyFile(home)]) {
      chmodSync(path, 0o640);
      await expect(store().readAll()).rejects.toMatchObject({
        code: 'PAO_SECRET_FILE_OPEN',
        hints: [`chmod 600 ${path}`],
      });
      chmodSync(path, 0o600);
    }
  });

  it('can be locked with a passphrase, which then is nowhere', async () => {
    const environment = { PAO_SECRETS_PASSPHRASE: 'correct horse' };
    await store(environment).set('TOKEN', 'first-value', {}, NOW);
    expect(existsSync(keyFile(home))).toBe(false);
    expect(readFileSync(localSecretsFile(home), 'utf8')).not.toContain('correct horse');
    const file = join(home, 'passphrase');
    writeFileSync(file, 'correct horse\nnot this line\n', { mode: 0o600 });
    expect(await valueOf('TOKEN', { PAO_SECRETS_PASSPHRASE_FILE: file })).toBe('first-value');
    await expect(store().readAll()).rejects.toThrow(/set PAO_SECRETS_PASSPHRASE/);
    await expect(store({ PAO_SECRETS_PASSPHRASE: 'wrong' }).readAll()).rejects.toThrow(/is not the one/);
  });

  it('gets a new key, by which the old one opens nothing', async () => {
    const one = store();
    await one.set('TOKEN', 'first-value', {}, NOW);
    const [oldKey, oldStore] = [readFileSync(keyFile(home)), readFileSync(localSecretsFile(home))];
    expect(await store().rekey(null)).toBe(1);
    expect(await valueOf('TOKEN')).toBe('first-value');
    // One that was open goes on.
    expect((await one.readAll()).get('TOKEN')?.value).toBe('first-value');
    const newStore = readFileSync(localSecretsFile(home));
    writeFileSync(keyFile(home), oldKey);
    await expect(store().readAll()).rejects.toThrow(/is not in .*secrets\.key/);
    writeFileSync(localSecretsFile(home), oldStore);
    expect(await valueOf('TOKEN')).toBe('first-value');
    expect(newStore.equals(oldStore)).toBe(false);
    expect(await store().rekey('a passphrase')).toBe(1);
    expect(await valueOf('TOKEN', { PAO_SECRETS_PASSPHRASE: 'a passphrase' })).toBe('first-value');
    expect(readFileSync(keyFile(home), 'utf8')).toContain('"keys": {}');
  });

  it('outlives a crash between the new key and the store', async () => {
    await store().set('TOKEN', 'first-value', {}, NOW);
    await makeKey(home, null);
    expect(await valueOf('TOKEN')).toBe('first-value');
  });

  it('loses nothing when many write at once', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `N${index}`);
    await Promise.all(names.map((name) => store().set(name, `value-${name}`, {}, NOW)));
    expect([...(await store().readAll()).keys()].sort()).toEqual(names.sort());
  });
});

describe('a secret', () => {
  const source = (more: Partial<Parameters<typeof createSecretSource>[0]> = {}) => {
    const redactor = new Redactor();
    return { ...createSecretSource({ home, environment: {}, redactor, ...more }), redactor };
  };
  const prints = (text: string) => [process.execPath, '-e', `process.stdout.write(${JSON.stringify(text)})`];

  it('comes from the environment, the file, the store or a command, in this order', async () => {
    writeFileSync(join(home, 'secrets.json'), JSON.stringify({ A: 'file-a', B: 'file-b' }), { mode: 0o600 });
    for (const name of ['A', 'B', 'C']) await store().set(name, `store-${name}`, {}, NOW);
    const commands = Object.fromEntries(
      ['A', 'B', 'C', 'D'].map((name) => [name, prints(`command-${name}`)]),
    );
    const secrets = source({ environment: { PAO_SECRET_A: 'environment-a' }, commands });
    const values = await Promise.all(['A', 'B', 'C', 'D'].map((name) => secrets.resolve(name, {})));
    expect(values).toEqual(['environment-a', 'file-b', 'store-C', 'command-D']);
    expect((await secrets.list()).map(({ name, source: from }) => [name, from])).toEqual([
      ['A', 'environment'],
      ['B', 'file'],
      ['C', 'store'],
      ['D', 'command'],
    ]);
    expect(secrets.redactor.redactText(values.join(' '))).toBe('*** *** *** ***');
  });

  it('that is stored is new with the next call, and kept from others', async () => {
    await store().set('TOKEN', 'first-value', { agents: ['planner'] }, NOW);
    const secrets = source();
    expect(await secrets.resolve('TOKEN', { agent: 'planner' })).toBe('first-value');
    expect(await failureOf(secrets.resolve('TOKEN', { agent: 'other' }))).toMatchObject({ kind: 'auth' });
    await store().set('TOKEN', 'second-value', {}, NOW);
    expect(await secrets.resolve('TOKEN', { agent: 'planner' })).toBe('second-value');
  });

  it('is hidden before its first use, also line by line', async () => {
    await store().set('KEY', '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----', {}, NOW);
    const secrets = source({ environment: { PAO_SECRET_TOKEN: 'from-the-environment' } });
    await secrets.hideAll();
    expect(secrets.redactor.redactText('MIIEvQIBADANBgkqhkiG9w0B and from-the-environment')).toBe(
      '*** and ***',
    );
  });

  it('of a command is asked for once in a while, and through no shell', async () => {
    const log = join(home, 'calls');
    const program = join(home, 'ask.mjs');
    writeFileSync(
      program,
      `import { appendFileSync } from 'node:fs';
       appendFileSync(${JSON.stringify(log)}, JSON.stringify([process.argv.slice(2), Object.keys(process.env)]) + '\\n');
       console.log('printed-value');`,
    );
    let now = 0;
    const secrets = source({
      environment: { PATH: '/bin', PAO_SECRET_OTHER: 'not-for-it', DATABASE_URL: 'not-for-it' },
      commands: { TOKEN: [process.execPath, program, '$(id); `id`'] },
      monotonic: () => now,
    });
    const calls = () =>
      readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as [string[], string[]]);
    expect(await Promise.all([secrets.resolve('TOKEN', {}), secrets.resolve('TOKEN', {})])).toEqual([
      'printed-value',
      'printed-value',
    ]);
    expect(calls()).toHaveLength(1);
    expect(calls()[0]?.[0]).toEqual(['$(id); `id`']);
    expect(calls()[0]?.[1]).not.toEqual(expect.arrayContaining(['PAO_SECRET_OTHER']));
    expect(calls()[0]?.[1]).not.toEqual(expect.arrayContaining(['DATABASE_URL']));
    now = 61_000;
    await secrets.resolve('TOKEN', {});
    expect(calls()).toHaveLength(2);
  });

  it('of a command that fails, hangs, is not there or says nothing, is said in words without its output', async () => {
    const node = (script: string) => [process.execPath, '-e', script];
    const [secrets, impatient] = [10_000, 300].map((commandTimeoutMs) =>
      source({
        commandTimeoutMs,
        commands: {
          FAILS: node("console.log('half-a-secret'); console.error('half-a-secret'); process.exit(3)"),
          HANGS: node('setInterval(() => {}, 1000)'),
          GONE: ['/no/such/program'],
          EMPTY: node(''),
        },
      }),
    ) as [ReturnType<typeof source>, ReturnType<typeof source>];
    const messages: Record<string, string> = {};
    for (const name of ['FAILS', 'HANGS', 'GONE', 'EMPTY']) {
      const from = name === 'HANGS' ? impatient : secrets;
      const error = await failureOf(from.resolve(name, {}));
      expect(error).toMatchObject({ kind: 'config_error' });
      messages[name] = error.message;
    }
    expect(messages['FAILS']).toMatch(/failed \(3\)/);
    expect(messages['HANGS']).toMatch(/did not answer within 300 ms/);
    expect(messages['GONE']).toMatch(/is not there/);
    expect(messages['EMPTY']).toMatch(/printed nothing/);
    expect(JSON.stringify(messages)).not.toContain('half-a-secret');
  });

  it('that is not there is said with the nearest name', async () => {
    await store().set('TELEGRAM_TOKEN', 'first-value', {}, NOW);
    expect(await failureOf(source().resolve('TELEGRAM_TOKN', {}))).toMatchObject({
      kind: 'config_error',
      message: expect.stringContaining('Did you mean TELEGRAM_TOKEN?') as string,
    });
  });
});
