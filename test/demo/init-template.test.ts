import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { portsOf, stopDemoGroup } from '../../src/demo/demo-group.js';
import { type InitTemplateOptions, initTemplate } from '../../src/demo/init-template.js';
import { initProject } from '../../src/demo/init-project.js';
import { startWeatherServer } from '../../src/demo/weather-server.js';
import { systemClock } from '../../src/domain/clock.js';
import { taskSpecSchema } from '../../src/domain/task.js';
import { catalogFileSchema } from '../../src/domain/tool.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pao-init-'));
});
afterEach(async () => {
  await stopDemoGroup(join(root, 'project', '.pao-demo'));
  rmSync(root, { recursive: true, force: true });
});

const init = (more: Partial<InitTemplateOptions> = {}) =>
  initTemplate({
    template: 'briefing',
    directory: join(root, 'project'),
    timezone: 'Europe/Chisinau',
    force: false,
    demo: false,
    home: join(root, 'home'),
    serversDirectory: fileURLToPath(new URL('../../src/demo/servers', import.meta.url)),
    entries: { extension: '.ts', nodeArguments: ['--import', 'tsx'] },
    clock: systemClock,
    ...more,
  });
const read = (name: string) => readFileSync(join(root, 'project', name), 'utf8');

describe('initTemplate', () => {
  it('writes a task and a catalog that the schemas accept, with the zone written out', async () => {
    const result = await init();
    expect(result.files.map((file) => file.outcome)).toEqual(['written', 'written']);
    expect(result.demo).toBeNull();
    const task = taskSpecSchema.parse(parse(read('briefing.yaml')));
    expect(task.schedule).toMatchObject({ kind: 'rrule', timezone: 'Europe/Chisinau', overlap: 'skip' });
    expect(task.pipeline.map((step) => step.uses)).toEqual([
      'calendar.list_events',
      'weather.forecast',
      'mail.top_unread',
      'llm.chat',
      'telegram.send_message',
    ]);
    const catalog = catalogFileSchema.parse(parse(read('tools.yaml')));
    expect(catalog.tools?.map((tool) => tool.address)).toEqual([
      'weather.forecast',
      'web.page',
      'ci.latest_run',
      'llm.chat',
      'telegram.send_message',
    ]);
    expect(catalog.servers?.map((server) => server.name)).toEqual(['calendar', 'mail']);
    expect(read('tools.yaml')).toContain('${secrets.MAIL_TOKEN}');
  });

  it('keeps what a person changed, until forced', async () => {
    await init();
    writeFileSync(join(root, 'project', 'briefing.yaml'), 'name: mine\n');
    expect((await init()).files.map((file) => file.outcome)).toEqual(['kept', 'unchanged']);
    expect(read('briefing.yaml')).toBe('name: mine\n');
    expect((await init({ force: true })).files.map((file) => file.outcome)).toEqual(['written', 'unchanged']);
  });

  it('starts the servers once, makes their tokens known, and stops exactly them', async () => {
    // Somebody has the first choice of a port already, so that another one must be found and written.
    const other = await startWeatherServer({ port: 4181 }).catch(() => null);
    try {
      const first = await init({ demo: true });
      const demo = first.demo;
      if (!demo) throw new Error('nothing was started');
      expect(demo.wasRunning).toBe(false);
      expect(demo.servers.map((server) => server.name)).toEqual([
        'weather',
        'mail',
        'chat',
        'telegram',
        'web',
      ]);
      expect(portsOf(demo).weather).not.toBe(4181);
      expect(read('tools.yaml')).toContain(`127.0.0.1:${portsOf(demo).weather}/v1/forecast`);
      expect(first.portsDiffer).toBe(false);

      const secretsPath = join(root, 'home', 'secrets.json');
      const secrets = JSON.parse(readFileSync(secretsPath, 'utf8'));
      expect(Object.keys(secrets)).toEqual(['MAIL_TOKEN', 'TELEGRAM_BOT_TOKEN']);
      expect(statSync(secretsPath).mode & 0o777).toBe(0o600);
      const telegram = demo.servers.find((server) => server.name === 'telegram');
      const sent = await fetch(`${telegram?.url}/bot${secrets.TELEGRAM_BOT_TOKEN}/sendMessage`, {
        method: 'POST',
        body: new URLSearchParams({ chat_id: '1', text: 'hello' }),
      });
      expect(sent.status).toBe(200);
      expect(read('.pao-demo/telegram.log')).toContain('hello');

      const second = await init({ demo: true });
      expect(second.demo).toMatchObject({ wasRunning: true, pid: demo.pid, servers: demo.servers });

      const stopped = await stopDemoGroup(join(root, 'project', '.pao-demo'));
      expect(stopped.map((server) => server.pid)).toEqual(demo.servers.map((server) => server.pid));
      expect(existsSync(join(root, 'project', '.pao-demo', 'servers.json'))).toBe(false);
      await expect(fetch(`${telegram?.url}/demo`)).rejects.toThrow('fetch failed');
    } finally {
      await other?.close();
    }
  });

  it('leaves secrets that are there as they are', async () => {
    const home = join(root, 'home');
    await initProject({ directory: root, timezone: 'UTC', force: false });
    await init({ demo: true, home });
    const before = readFileSync(join(home, 'secrets.json'), 'utf8');
    await stopDemoGroup(join(root, 'project', '.pao-demo'));
    await init({ demo: true, home });
    expect(readFileSync(join(home, 'secrets.json'), 'utf8')).toBe(before);
  });

  it('signals no process that only has the number of a recorded one', async () => {
    await init();
    const victim = await startWeatherServer({ port: 0 });
    writeFileSync(
      join(root, 'project', '.pao-demo', 'servers.json'),
      JSON.stringify({
        pid: process.pid,
        servers: [{ name: 'mail', pid: process.pid, url: victim.url, port: victim.port }],
      }),
    );
    expect(await stopDemoGroup(join(root, 'project', '.pao-demo'))).toEqual([]);
    await victim.close();
  });
});

describe('initProject', () => {
  it('makes the data directory and a configuration, and keeps a configuration that is there', async () => {
    expect(await initProject({ directory: root, timezone: 'Asia/Tokyo', force: false })).toMatchObject({
      config: 'written',
    });
    expect(readFileSync(join(root, 'pao.config.yaml'), 'utf8')).toContain('timezone: "Asia/Tokyo"');
    expect(statSync(join(root, '.pao')).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(root, '.pao', '.gitignore'), 'utf8')).toBe('*\n');
    expect(await initProject({ directory: root, timezone: 'UTC', force: false })).toMatchObject({
      config: 'kept',
    });
    expect(readFileSync(join(root, 'pao.config.yaml'), 'utf8')).toContain('Asia/Tokyo');
  });
});
