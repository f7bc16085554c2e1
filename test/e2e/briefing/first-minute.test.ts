import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Pao, startPao } from '../start-pao.js';

let pao: Pao;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pao-first-minute-'));
  pao = await startPao();
});
afterAll(async () => {
  try {
    await pao.cli(['init', 'briefing', '--stop-demo'], { cwd: directory });
    await pao.stop();
  } finally {
    pao.cleanUp();
    rmSync(directory, { recursive: true, force: true });
  }
});

const type = (...args: string[]) => pao.cli(args, { cwd: directory });

describe('the first minute with pao', () => {
  it('starts nothing unless it is told to, and says how', async () => {
    const result = await type('init', 'briefing', '--timezone', 'Europe/Chisinau');
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr).toContain('Nothing was started');
    expect(result.stderr).toContain('--demo');
  });

  it('starts the demo servers, says what runs where, and knows them again', async () => {
    const result = await type('init', 'briefing', '--demo', '--timezone', 'Europe/Chisinau', '--force');
    expect(result).toMatchObject({ code: 0 });
    const { servers } = JSON.parse(readFileSync(join(directory, '.pao-demo', 'servers.json'), 'utf8')) as {
      servers: { name: string; pid: number; url: string }[];
    };
    expect(servers).toHaveLength(5);
    for (const { name, pid, url } of servers) {
      expect(result.stderr).toMatch(new RegExp(`${name}\\s+${url}.*${pid}`));
    }
    expect(result.stderr).toContain('--stop-demo');
    const again = await type('init', 'briefing', '--demo', '--timezone', 'Europe/Chisinau');
    expect(again.stderr).toContain('run already');
    expect(again.stderr).toContain('Unchanged');
  });

  it('imports the tools, applies the task, previews it, runs it, and shows what happened', async () => {
    for (const args of [
      ['tool', 'import', 'tools.yaml'],
      ['task', 'apply', 'briefing.yaml'],
      ['task', 'next', 'morning-briefing'],
      ['task', 'list'],
    ]) {
      const result = await type(...args);
      expect({ args, ...result }).toMatchObject({ code: 0 });
    }
    const run = await type('task', 'run', 'morning-briefing', '--wait', '--json');
    expect(run).toMatchObject({ code: 0 });
    const { id, status } = JSON.parse(run.stdout) as { id: string; status: string };
    expect(status).toBe('succeeded');
    const { servers } = JSON.parse(readFileSync(join(directory, '.pao-demo', 'servers.json'), 'utf8')) as {
      servers: { name: string; url: string }[];
    };
    const telegram = servers.find((server) => server.name === 'telegram');
    const { messages } = (await (await fetch(`${telegram?.url}/messages`)).json()) as {
      messages: { text: string }[];
    };
    expect(messages).toHaveLength(1);
    expect(messages[0]?.text).toContain('Weather: snow, -4.8 to 2.1 °C');
    expect(messages[0]?.text).toContain('Dentist (Main Street 12)');
    expect(messages[0]?.text).toContain('Contract semnătură');
    const shown = await type('run', 'show', id);
    expect(shown.code).toBe(0);
    for (const step of ['cal', 'wx', 'mail', 'plan', 'ping']) expect(shown.stdout).toContain(step);
    const listed = await type('run', 'list');
    expect(listed.stdout).toContain('succeeded');
  });

  it('stops exactly what it started', async () => {
    const result = await type('init', 'briefing', '--stop-demo');
    expect(result.code).toBe(0);
    for (const name of ['weather', 'mail', 'chat', 'telegram', 'web'])
      expect(result.stderr).toContain(`Stopped ${name}`);
    const again = await type('init', 'briefing', '--stop-demo');
    expect(again.stderr).toContain('No demo servers run');
  });
});
