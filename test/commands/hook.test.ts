import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTaskApi, type TaskApi } from './task-api.js';

let api: TaskApi;
beforeAll(async () => {
  api = await startTaskApi();
});
afterAll(() => api.close());

test('a hook is made, shown, listed, given a new secret and ended; its secret is alone on stdout', async () => {
  expect((await api.run('hook:list', [])).stderr).toContain('pao hook create NAME --topic TOPIC');
  const made = await api.run('hook:create', ['shop', '--topic', 'shop.order']);
  expect(made.stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
  expect(made.stderr).toMatch(/posts to http:\/\/127\.0\.0\.1:\d+\/hooks\/hok_[0-9a-f]{32}/);
  const shown = await api.run('hook:show', ['shop']);
  expect(shown.stdout).toMatch(/Topic +shop\.order/);
  expect(shown.stdout).not.toContain(made.stdout.trim());
  expect((await api.run('hook:list', [])).stdout).toMatch(/shop +shop\.order +standard/);
  const rotated = await api.run('hook:rotate', ['shop', '--grace', '0s']);
  expect([rotated.stdout !== made.stdout, rotated.stderr]).toEqual([
    true,
    expect.stringContaining('the old one has ended'),
  ]);
  expect((await api.run('hook:delete', ['shop'])).stderr).toContain('Ended the hook shop');
  expect(await api.run('hook:show', ['shop'])).toMatchObject({ exitCode: 5 });
});

test('a secret that the sender made comes from a file, and a weak one is refused', async () => {
  writeFileSync(join(api.folder, 'secret.txt'), 'the secret of the repository\n');
  const argv = ['ci', '--topic', 'ci.push', '--scheme', 'github', '--secret-file'];
  const { stdout } = await api.run('hook:create', [...argv, 'secret.txt', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ scheme: 'github', secret: 'the secret of the repository' });
  expect(await api.run('hook:create', [...argv, '-'], { input: 'weak' })).toMatchObject({ exitCode: 2 });
});

test('run show and event show tell what led to what', async () => {
  const { system } = api;
  const first = await system.addTask({ name: 'first', pipeline: [{ id: 'one', uses: 'debug.echo' }] });
  const run = await system.runNow(first);
  const published = await api.run('event:publish', ['news.made', '--run', run.id]);
  const id = published.stdout.trim();
  await system.addTask({
    name: 'second',
    schedule: { kind: 'event', topic: 'news.*' },
    pipeline: [{ id: 'one', uses: 'debug.echo' }],
  });
  await system.scheduler.runOnce();
  const { items } = JSON.parse((await api.run('run:list', ['--task', 'second', '--json'])).stdout);
  const shown = await api.run('run:show', [items[0].id]);
  expect(shown.stdout).toMatch(/because of\n +event news\.made .*\n +run of first \(manual\)/);
  expect((await api.run('run:show', [run.id])).stdout).toMatch(/it published\n +news\.made/);
  const event = await api.run('event:show', [id]);
  expect(event.stdout).toMatch(/run of first \(manual\)/);
  expect(event.stdout).toMatch(/it started\n +run of second/);
  expect((await api.run('event:show', [String(id).slice(0, 30)])).stdout).toBe(event.stdout);
  expect(await api.run('event:show', ['latest'])).toMatchObject({ exitCode: 0, error: null });
  expect(await api.run('event:show', [`evt_${'0'.repeat(32)}`])).toMatchObject({ exitCode: 5 });
});
