import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findConnection } from '../../src/cli/connection.js';
import { dataDirectory, readCredentials } from '../../src/cli/home.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-home-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function credentials(home: string, content: unknown, mode = 0o600): void {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'credentials.json'), JSON.stringify(content));
  chmodSync(join(home, 'credentials.json'), mode);
}

describe('data directory', () => {
  it('is PAO_HOME, before anything else', () => {
    mkdirSync(join(folder, '.pao'));
    expect(dataDirectory({ env: { PAO_HOME: 'data' }, cwd: folder, userHome: '/u' })).toBe(
      join(folder, 'data'),
    );
  });

  it('is the nearest .pao upward', () => {
    mkdirSync(join(folder, '.pao'));
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    expect(dataDirectory({ env: {}, cwd: join(folder, 'a', 'b'), userHome: '/u' })).toBe(
      join(folder, '.pao'),
    );
  });

  it('is the XDG data directory otherwise, and ignores a relative one', () => {
    const at = { cwd: folder, userHome: '/u' };
    expect(dataDirectory({ env: { XDG_DATA_HOME: '/x' }, ...at })).toBe('/x/pao');
    expect(dataDirectory({ env: { XDG_DATA_HOME: 'x' }, ...at })).toBe('/u/.local/share/pao');
  });

  it('says what to do when there is no home directory', () => {
    expect(() => dataDirectory({ env: {}, cwd: folder, userHome: '' })).toThrow(
      expect.objectContaining({ code: 'PAO_HOME_UNKNOWN', exitCode: 3 }),
    );
  });
});

describe('credentials', () => {
  it('are null when there are none', () => {
    expect(readCredentials(folder)).toBeNull();
  });

  it('are refused when others may read them', () => {
    credentials(folder, { url: 'http://127.0.0.1:8080', token: 'pao_x' }, 0o644);
    expect(() => readCredentials(folder)).toThrow(
      expect.objectContaining({
        code: 'PAO_CREDENTIALS_OPEN',
        hints: [`chmod 600 ${folder}/credentials.json`],
      }),
    );
  });

  it('are refused when they are not ours', () => {
    credentials(folder, { token: 1 });
    expect(() => readCredentials(folder)).toThrow(
      expect.objectContaining({ code: 'PAO_CREDENTIALS_INVALID' }),
    );
  });
});

describe('connection', () => {
  const find = (request: { url?: string; tokenFile?: string; env?: Record<string, string> }) =>
    findConnection({ ...request, env: { PAO_HOME: folder, ...request.env }, cwd: folder, userHome: folder });

  it('uses what pao start left behind', () => {
    credentials(folder, { url: 'http://127.0.0.1:9000', token: 'pao_x' });
    expect(find({})).toMatchObject({ url: 'http://127.0.0.1:9000', token: 'pao_x' });
    expect(find({ url: 'http://localhost:9000/' })).toMatchObject({
      url: 'http://localhost:9000',
      token: 'pao_x',
    });
  });

  it('says where the address comes from', () => {
    expect(find({}).from).toMatch(`none is kept in the data directory ${folder} (PAO_HOME)`);
    expect(find({ env: { PAO_HOME: '', XDG_DATA_HOME: folder } }).from).toMatch('(PAO_HOME sets another)');
    credentials(folder, { url: 'http://127.0.0.1:9000', token: 'pao_x' });
    expect(find({}).from).toBe(`The address is that of the data directory ${folder} (PAO_HOME).`);
    const url = 'http://127.0.0.1:9001';
    expect(find({ url }).from).toBe('The address is that of --url.');
    expect(find({ url, env: { PAO_URL: url, PAO_TOKEN: 'pao_x' } }).from).toBe(
      'The address is that of PAO_URL.',
    );
  });

  it('never sends the stored token to another server', () => {
    credentials(folder, { url: 'http://127.0.0.1:9000', token: 'pao_x' });
    expect(find({ url: 'http://127.0.0.1:9001' }).token).toBeNull();
    expect(find({ url: 'https://example.com' }).token).toBeNull();
  });

  it('prefers the token file to PAO_TOKEN, and both to the stored one', () => {
    credentials(folder, { url: 'http://127.0.0.1:9000', token: 'pao_x' });
    writeFileSync(join(folder, 'token'), 'pao_file\n');
    expect(find({ env: { PAO_TOKEN: 'pao_env' } }).token).toBe('pao_env');
    expect(find({ env: { PAO_TOKEN: 'pao_env' }, tokenFile: join(folder, 'token') }).token).toBe('pao_file');
  });

  it.each(['nonsense', 'ftp://host', 'file:///etc/passwd', ''])('refuses the URL "%s"', (url) => {
    expect(() => find({ url })).toThrow(expect.objectContaining({ code: 'PAO_URL_INVALID', exitCode: 2 }));
  });

  it('refuses a token file that is missing or holds more than a token', () => {
    writeFileSync(join(folder, 'token'), 'two words');
    expect(() => find({ tokenFile: join(folder, 'token') })).toThrow(
      expect.objectContaining({ code: 'PAO_TOKEN_INVALID' }),
    );
    expect(() => find({ tokenFile: join(folder, 'none') })).toThrow(
      expect.objectContaining({ code: 'PAO_TOKEN_FILE', exitCode: 2 }),
    );
  });
});
