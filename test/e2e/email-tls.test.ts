import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../find-program.js';
import { type Pao, startPao } from './start-pao.js';

const PASSWORD = 'smtp-password-over-tls-1';
let pao: Pao;
const servers: SMTPServer[] = [];
const letters: { secure: boolean; to: string[]; text: string }[] = [];
const signIns: { secure: boolean; password: string }[] = [];

/** A certificate for 127.0.0.1 or another name, signed by an authority of the test's own, or by itself. */
function certificates(folder: string) {
  const program = findProgram('openssl');
  const openssl = (...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=pao test CA',
  );
  const signed = (name: string, alternative: string) => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternative}\n`);
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
    return {
      key: readFileSync(join(folder, `${name}.key`)),
      cert: readFileSync(join(folder, `${name}.pem`)),
    };
  };
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'self.key',
    '-out',
    'self.pem',
    '-days',
    '2',
    '-subj',
    '/CN=self',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
  );
  return {
    good: signed('good', 'IP:127.0.0.1'),
    other: signed('other', 'DNS:mail.example.org'),
    self: { key: readFileSync(join(folder, 'self.key')), cert: readFileSync(join(folder, 'self.pem')) },
  };
}

async function listen(certificate: { key: Buffer; cert: Buffer }, secure: boolean): Promise<number> {
  const server = new SMTPServer({
    ...certificate,
    secure,
    onAuth(auth, session, done) {
      signIns.push({ secure: session.secure, password: auth.password ?? '' });
      done(null, { user: 'ana' });
    },
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (part) => (text += part));
      stream.on('end', () => {
        letters.push({
          secure: session.secure,
          to: session.envelope.rcptTo.map(({ address }) => address),
          text,
        });
        done();
      });
    },
  });
  // A client that does not trust it breaks off.
  server.on('error', () => {});
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), 'pao-e2e-'));
  const folder = join(home, 'certificates');
  mkdirSync(folder);
  const { good, other, self } = certificates(folder);
  const channel = (scheme: string, port: number) =>
    `{ kind: email, server: "${scheme}://127.0.0.1:${port}", user: ana, password: "${PASSWORD}", from: pao@example.org, to: ana@example.org }`;
  writeFileSync(
    join(home, 'pao.config.yaml'),
    `channels:
  tls: ${channel('smtps', await listen(good, true))}
  starttls: ${channel('smtp', await listen(good, false))}
  self: ${channel('smtps', await listen(self, true))}
  self-starttls: ${channel('smtp', await listen(self, false))}
  other: ${channel('smtp', await listen(other, false))}
`,
  );
  pao = await startPao({ home, env: { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') } });
});
afterAll(async () => {
  try {
    await pao?.stop();
  } finally {
    pao?.cleanUp();
    await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(done))));
  }
});
afterEach(() => {
  letters.length = 0;
  signIns.length = 0;
});

describe('an e-mail', () => {
  it.each(['tls', 'starttls'])('goes out encrypted (%s), its sender signs in only then', async (name) => {
    expect(await pao.cli(['channel', 'test', name, '--text', 'Bună', '--title', 'Semnătură'])).toMatchObject({
      code: 0,
    });
    expect(letters).toMatchObject([{ secure: true, to: ['ana@example.org'] }]);
    expect(letters[0]?.text).toMatch(/^Auto-Submitted: auto-generated/m);
    expect(signIns).toEqual([{ secure: true, password: PASSWORD }]);
  });

  it.each([
    ['self', /self-signed certificate/],
    ['self-starttls', /self-signed certificate/],
    ['other', /certificate is not accepted.*altnames/s],
  ])('is not handed to a server whose certificate is wrong (%s), nor is the password', async (name, why) => {
    const { code, stderr } = await pao.cli(['channel', 'test', name]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(why);
    expect(stderr).toMatch(/the certificate is not accepted[^]*NODE_EXTRA_CA_CERTS/);
    expect(stderr).not.toContain(PASSWORD);
    expect([...letters, ...signIns]).toEqual([]);
  });
});
