import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditObject } from '../../src/client/api-objects.js';
import { type Pao, startPao } from './start-pao.js';

let pao: Pao;
beforeAll(async () => {
  pao = await startPao();
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});

const list = async (...args: string[]) =>
  (await pao.json<{ items: AuditObject[] }>(['audit', 'list', ...args])).items;

test('the audit log is read by a person, what they did to secrets included', async () => {
  await pao.api('POST', '/v1/tasks', { name: 'tea', pipeline: [{ id: 'say', uses: 'debug.echo' }] });
  await pao.api('POST', '/v1/tasks/tea/pause', { reason: 'holidays' });
  const { stdout } = await pao.cli(['audit', 'list', '--object', 'tea', '--actor', 'admin']);
  expect(stdout).toMatch(/admin +task\.pause +tea/);
  expect(await list('--action', 'task.*', '--since', '1h')).toMatchObject([
    { action: 'task.pause', actor_name: 'admin' },
    { action: 'task.created' },
  ]);
  const secret = await pao.cli(['secret', 'set', 'TEA_KEY', '--tool', 'tea.*', '--json'], {
    input: 'oolong-7',
  });
  expect(JSON.parse(secret.stdout)).toMatchObject({ outcome: 'created', audited: true });
  await pao.cli(['secret', 'grant', 'TEA_KEY', '--tool', 'pot.*']);
  await pao.cli(['secret', 'rekey']);
  await pao.cli(['secret', 'delete', 'TEA_KEY']);
  const changes = await list('--action', 'secret.*');
  expect(changes.map(({ action }) => action)).toEqual([
    'secret.deleted',
    'secret.rekeyed',
    'secret.limited',
    'secret.set',
  ]);
  expect(changes[2]).toMatchObject({ target: 'TEA_KEY', details: { tools: ['tea.*', 'pot.*'] } });
  expect(JSON.stringify(changes)).not.toContain('oolong');
  const elsewhere = mkdtempSync(join(tmpdir(), 'pao-audit-'));
  const away = await pao.cli(['secret', 'set', 'TEA_KEY'], {
    input: 'oolong-8',
    env: { PAO_HOME: elsewhere },
  });
  rmSync(elsewhere, { recursive: true });
  expect(away.code).toBe(0);
  expect(away.stderr).toContain(
    'The audit log has no record of this: no pao was started on this data directory.',
  );
  expect((await pao.cli(['audit', 'list', '--action', 'nothing'])).stderr).toContain('pao audit list');
});

test('only who may see it sees it', async () => {
  const { body } = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', { name: 'curious' });
  const env = { PAO_TOKEN: body.token.secret };
  expect(await pao.cli(['audit', 'verify'], { env })).toMatchObject({ code: 4 });
});

test('a record that was changed, and an end that was cut off, are found and named', async () => {
  const whole = await pao.json<{ status: string; entries: number; head: string }>(['audit', 'verify']);
  expect(whole).toMatchObject({ status: 'whole', broken: null, known: null });
  expect((await pao.cli(['audit', 'verify', '--known', whole.head])).code).toBe(0);
  expect((await pao.cli(['audit', 'verify', '--known', 'yesterday'])).code).toBe(2);

  const database = new Database(join(pao.home, 'orchestrator.db'));
  const run = (sql: string) => database.prepare(sql).run();
  run(`CREATE TABLE kept AS SELECT * FROM audit_log`);
  const [paused] = await list('--action', 'task.pause');
  run(`UPDATE audit_log SET actor = 'system' WHERE sequence = ${paused?.sequence}`);
  const broken = await pao.cli(['audit', 'verify']);
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain(`Record ${paused?.sequence} does not fit the one before it: task.pause`);
  run('DELETE FROM audit_log WHERE sequence >= (SELECT max(sequence) - 1 FROM audit_log)');
  run(`UPDATE audit_log SET actor = (SELECT actor FROM kept WHERE kept.sequence = audit_log.sequence)`);
  expect((await pao.cli(['audit', 'verify'])).code).toBe(0);
  const cut = await pao.cli(['audit', 'verify', '--known', whole.head]);
  expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining('is not there') });
  run('DELETE FROM audit_log');
  run('INSERT INTO audit_log SELECT * FROM kept');
  run('DROP TABLE kept');
  database.close();
  expect((await pao.cli(['audit', 'verify', '--known', whole.head])).code).toBe(0);
});
