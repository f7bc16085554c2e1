import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ATerminal } from '../cli/a-terminal.js';
import { type Pao, startPao } from './start-pao.js';

const ENTER = '\r';
const CTRL_C = '\u0003';
const CTRL_Z = '\u001a';
// Half a day away: a run on its own in the middle of a test would be counted with those of the test.
const HOUR = (new Date().getUTCHours() + 12) % 24;
const TASKS = `
name: post-reply
schedule: { kind: cron, expr: "0 9 * * *", timezone: America/New_York }
pipeline:
  - { id: ask, approve: { message: "Send \\e[31mthis\\e[0m reply?", expires_in: 3h } }
---
name: site-watch
schedule: { kind: cron, expr: "0 ${HOUR} * * *", timezone: Europe/Chisinau }
retry: { max: 0 }
pipeline:
  - { id: page, uses: notify.webhook, with: { url: "http://127.0.0.1:9/", payload: {} } }
---
name: night-import
schedule: { kind: cron, expr: "0 3 * * *", timezone: Europe/Chisinau }
pipeline:
  - { id: pause, wait: { for: 2h } }
`;

let pao: Pao;
let folder: string;
let terminal: ATerminal;

beforeAll(async () => {
  pao = await startPao();
  const file = join(pao.home, 'tasks.yaml');
  writeFileSync(file, TASKS);
  await pao.json(['task', 'apply', file]);
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-top-'));
});
afterEach(async () => {
  await terminal?.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (env: Record<string, string> = {}, size?: { cols: number; rows: number }) => {
  terminal = await ATerminal.open(folder, { PAO_HOME: pao.home, ...env }, size);
  return terminal;
};

/** Back at the shell, with the screen that was there before and the exit code. */
async function atShell(code: number): Promise<void> {
  await terminal.waitFor(() => !terminal.isOther, 'the shell');
  terminal.type(`echo "code $?"${ENTER}`);
  await terminal.sees(`code ${code}`);
  expect(terminal.text()).toContain('open');
  // The cursor is shown again after it was hidden last.
  expect(terminal.written.lastIndexOf('\u001b[?25h')).toBeGreaterThan(
    terminal.written.lastIndexOf('\u001b[?25l'),
  );
}

describe('pao top', { timeout: 120_000 }, () => {
  it('prints one snapshot where there is no terminal, and one document with --json', async () => {
    const failing = await pao.json<{ id: string }>(['task', 'run', 'site-watch']);
    await pao.cli(['run', 'watch', failing.id]);
    const { code, stdout, stderr } = await pao.cli(['top']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^pao \S+ is (healthy|degraded) at http:\/\/127\.0\.0\.1:\d+, up /);
    expect(stdout).toMatch(/0 running .* 1 failed in 1h/);
    expect(stdout).toMatch(/Waits for a person: nothing/);
    expect(stdout).toMatch(/✖ site-watch {2}failed: page: .*\((now|\d+s ago)\)/);
    expect(stdout).toMatch(/night-import {2}in .* 03:00 Europe\/Chisinau/);
    const document = await pao.json<Record<string, unknown>>(['top']);
    expect(document).toMatchObject({
      url: pao.url,
      queue: { running: 0, waiting: 0, due: 0 },
      rates: { failed_last_hour: 1, failed_last_hour_truncated: false },
      failed: [{ id: failing.id, task_name: 'site-watch', status: 'failed' }],
      approvals: [],
      not_shown: [],
    });
    expect((document['next'] as { task_name: string }[]).map(({ task_name: name }) => name).sort()).toEqual([
      'night-import',
      'post-reply',
      'site-watch',
    ]);
  });

  it('says what each task is due for next, however often another one is', async () => {
    const from = Date.now() + 3_600_000;
    const in20Hours = new Date(from + 19 * 3_600_000).toISOString();
    const pipeline = [{ id: 'say', uses: 'debug.echo', with: { text: 'x' } }];
    const file = join(folder, 'beat.yaml');
    const beat = { name: 'beat', schedule: { kind: 'cron', expr: '* * * * *', timezone: 'UTC' }, pipeline };
    const late = { name: 'late', schedule: { kind: 'once', at: in20Hours, timezone: 'UTC' }, pipeline };
    writeFileSync(file, [beat, late].map((task) => JSON.stringify(task)).join('\n---\n'));
    await pao.json(['task', 'apply', file]);
    await pao.json(['task', 'snooze', 'beat', '--for', '1h']);
    try {
      const { next } = await pao.json<{ next: { at: string; task_name: string }[] }>(['top']);
      const names = next.map(({ task_name: name }) => name);
      expect([...names].sort()).toEqual(['beat', 'late', 'night-import', 'post-reply', 'site-watch']);
      expect(next.map(({ at }) => at)).toEqual(next.map(({ at }) => at).sort());
    } finally {
      for (const name of ['beat', 'late']) await pao.json(['task', 'cancel', name, '--yes']);
    }
  });

  it('draws nothing on a dumb terminal, and refuses an interval that would only make load', async () => {
    await open({ TERM: 'dumb', LANG: 'C' });
    terminal.type(`pao top${ENTER}`);
    await terminal.sees('Workers 1');
    expect(terminal.written).not.toContain('\u001b[?1049h');
    terminal.type(`clear; pao top --interval 10ms; echo "code $?"${ENTER}`);
    await terminal.sees('code 2');
  });

  it('is moved about in, shows details, answers, pauses and runs, and gives the screen back', async () => {
    const asking = await pao.json<{ id: string }>(['task', 'run', 'post-reply']);
    await open();
    terminal.type(`pao top --interval 500ms${ENTER}`);
    // Control characters of a task are shown, not obeyed.
    await terminal.sees(/› ! post-reply {2}Send \\x1b\[31mthis\\x1b\[0m reply\?.*ends in 2h 59m/);
    terminal.type(ENTER);
    await terminal.sees(`run    ${asking.id}`);
    terminal.type('q');
    await terminal.sees('Due next 3');

    terminal.type('a');
    await terminal.sees('[y approve, n deny, Esc leave it open]');
    await terminal.sees(/^ *state +pending/m);
    terminal.type('x');
    await terminal.sees('Nothing was done.');
    terminal.type('ay');
    await terminal.sees('Waits for a person: nothing');
    await terminal.sees('post-reply: approved');
    expect(await pao.json(['run', 'watch', asking.id])).toMatchObject({ status: 'succeeded' });

    terminal.type(`/night${ENTER}`);
    await terminal.sees(/only what has "night" in it[^]*› {3}night-import/);
    terminal.type('p');
    await terminal.sees('Pause night-import? [y yes, Esc no]');
    terminal.type('y');
    await terminal.sees(/Paused 1\n› ! night-import/);
    terminal.type('py');
    await terminal.sees('night-import is active');
    await terminal.sees(/› {3}night-import/);
    terminal.type('ry');
    await terminal.sees(/Under way 1\n.*! night-import {2}waits \(wait\) +\d/);
    await terminal.sees(/night-import: waiting \(wait\), run_/);
    // A new filter begins empty.
    terminal.type(`/site${ENTER}`);
    await terminal.sees(/only what has "site" in it[^]*› {3}site-watch/);
    terminal.type('\u001b');
    await terminal.sees(/site-watch +in /);
    terminal.type('?');
    await terminal.sees('approve or deny what waits for a person');
    terminal.type(' q');
    await atShell(0);
  });

  it('follows the size of its window, and stops for the shell and goes on', async () => {
    await open({}, { cols: 140, rows: 40 });
    terminal.type(`pao top${ENTER}`);
    await terminal.sees(
      /Failed in the last hour \d+ +Workers|Under way.* {3,}.*Workers|Waits .* {3,}Due next 3/,
    );
    for (const [cols, rows] of [
      [60, 14],
      [24, 5],
      [90, 24],
    ] as const) {
      await terminal.resize(cols, rows);
      const fits = () => terminal.lines()[2]?.startsWith('─'.repeat(cols)) === true;
      await terminal.waitFor(
        () => fits() && terminal.lines()[0]?.startsWith('pao ') === true,
        `${cols} columns`,
      );
      expect(terminal.lines().at(-1)).toBe('');
    }
    terminal.type(CTRL_Z);
    await terminal.waitFor(() => !terminal.isOther, 'the shell');
    await terminal.sees('Stopped');
    terminal.type(`fg${ENTER}`);
    await terminal.waitFor(() => terminal.isOther, 'the dashboard again');
    await terminal.sees('Due next 3');
    terminal.type(CTRL_C);
    await atShell(0);
  });

  it('gives the screen back when it is terminated', async () => {
    await open();
    terminal.type(`(echo $BASHPID > pid; exec $PAO top)${ENTER}`);
    await terminal.sees('Due next 3');
    const pid = readFileSync(join(folder, 'pid'), 'utf8');
    process.kill(Number(pid), 'SIGTERM');
    await atShell(143);
    expect(terminal.text()).toContain('Terminated.');
  });

  it('says that the server is away, and goes on when it is back', async () => {
    const proxy = await aProxy(new URL(pao.url));
    await open({ PAO_URL: `http://127.0.0.1:${proxy.port}`, PAO_TOKEN: pao.token });
    terminal.type(`pao top --interval 300ms${ENTER}`);
    await terminal.sees('Due next 3');
    await proxy.cut();
    await terminal.sees(/✖ No server answers at http:\/\/127\.0\.0\.1:\d+\. As of .*; trying again\./);
    expect(terminal.lines()[0]).toMatch(/^pao \S+ does not answer at http/);
    expect(terminal.text()).toContain('→ pao start local  ? help  q quit');
    expect(terminal.text()).toContain('Due next 3');
    await proxy.mend();
    await terminal.waitFor(() => !terminal.text().includes('No server answers'), 'the server again');
    await terminal.sees('Due next 3');
    terminal.type('q');
    await atShell(0);
    await proxy.cut();
    terminal.type(`clear; pao top; echo "code $?"${ENTER}`);
    await terminal.sees('code 3');
    expect(terminal.text()).toContain('No server answers');
  });

  it('shows what the token permits, and in the words of the server what it does not', async () => {
    const { id, token } = await pao.json<{ id: string; token: { secret: string } }>([
      'agent',
      'create',
      'onlooker',
      '--scope',
      'tasks:read',
      '--scope',
      'tasks:write',
      '--scope',
      'runs:read',
    ]);
    const file = join(folder, 'own.yaml');
    writeFileSync(
      file,
      'name: own\nschedule: { kind: cron, expr: "0 4 * * *", timezone: UTC }\npipeline:\n  - { id: a, wait: { for: 1s } }\n',
    );
    const applied = await pao.cli(['task', 'apply', file], { env: { PAO_TOKEN: token.secret } });
    expect(applied).toMatchObject({ code: 0 });
    // What the token could do when it was made, it may not any more.
    await pao.api('PATCH', `/v1/agents/${id}`, { scopes: ['tasks:read', 'runs:read'] });
    await open({ PAO_TOKEN: token.secret, PAO_URL: pao.url });
    terminal.type(`pao top${ENTER}`);
    await terminal.sees(/Workers: cannot be shown: .*metrics:read/);
    await terminal.sees(/› {3}own /);
    terminal.type('py');
    await terminal.sees(/✖ .*tasks:write/);
    terminal.type('q');
    await atShell(0);
  });
});

/** A way to a server that can be cut and mended, on one port. */
async function aProxy({ hostname, port: target, host }: URL) {
  let server: Server;
  const listen = async (at: number): Promise<number> => {
    server = createServer((asked, answer) => {
      const { method, url, headers } = asked;
      const passed = request(
        { hostname, port: target, method, path: url, headers: { ...headers, host } },
        (answered) => {
          answer.writeHead(answered.statusCode ?? 502, answered.headers);
          answered.pipe(answer);
        },
      );
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  return {
    port,
    async cut() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    mend: () => listen(port),
  };
}
