import { afterAll, beforeAll, expect, test } from 'vitest';
import { momentOf } from '../../src/cli/render/moment.js';
import { instantBefore } from '../../src/cli/render/run-since.js';
import type { CreatedAgentObject } from '../../src/client/api-objects.js';
import { startTaskApi, type TaskApi } from './task-api.js';

let api: TaskApi;

const pipeline = (name: string, text: string) => `name: ${name}
pipeline:
  - { id: first, uses: debug.echo, with: { text: ${text} } }
  - { id: second, uses: debug.echo, with: { from: "\${steps.first.text}" } }
`;

beforeAll(async () => {
  api = await startTaskApi();
  const long = `"${'a long text '.repeat(40)}"`;
  const failing = 'name: broken\npipeline:\n  - { id: only, uses: test.fail, with: {} }\n';
  const held = 'name: held\npipeline:\n  - { id: only, uses: test.hold, with: {} }\n';
  const input = [pipeline('report', 'hello'), pipeline('wordy', long), failing, held].join('---\n');
  const { error } = await api.run('task:apply', ['-'], { input });
  if (error !== null) throw error;
});

afterAll(() => api.close());

async function finished(task: string): Promise<string> {
  const { stdout } = await api.run('task:run', [task, '--wait', '--json']);
  return (JSON.parse(stdout) as { id: string }).id;
}

test('with no runs the list and latest say what to type', async () => {
  const list = await api.run('run:list', ['--task', 'report']);
  expect(list).toMatchObject({ exitCode: 0, stdout: '' });
  expect(list.stderr).toContain('pao task run report --wait');
  const latest = await api.run('run:show', ['latest', '--task', 'report']);
  expect(latest.error).toMatchObject({ exitCode: 5, hints: ['pao task run report --wait'] });
  const mistyped = await api.run('run:show', ['latest', '--task', 'reprot']);
  expect(mistyped.error).toMatchObject({ exitCode: 5, message: 'There is no task "reprot".' });
  expect(mistyped.error?.hints).toContain('Did you mean report?');
});

test('run show names the steps, what went in and what came out', async () => {
  const id = await finished('report');
  const { stdout } = await api.run('run:show', [id]);
  expect(stdout).toMatch(/^report {2}succeeded/);
  expect(stdout).toMatch(/first +succeeded +\d+(\.\d+)?m?s +1 +debug\.echo/);
  expect(stdout).toContain('"from": "hello"');
  const latest = await api.run('run:show', ['latest', '--task', 'report', '--json']);
  expect(JSON.parse(latest.stdout)).toMatchObject({ id, steps: [{ id: 'first' }, { id: 'second' }] });
});

test('run show --trace draws where the time went, and marks what failed', async () => {
  const id = await finished('report');
  const drawn = (await api.run('run:show', [id, '--trace'])).stdout;
  const { trace_id: traceId } = JSON.parse((await api.run('run:show', [id, '--json'])).stdout);
  expect(drawn).toContain(`report  trace ${traceId}`);
  const rows = drawn.split('\n').filter((line) => line.includes('█'));
  expect(rows.map((row) => row.slice(0, row.search(/ {2,}█| +█/)).trimEnd())).toEqual([
    'asked for: report',
    '  wait for a worker',
    '  run',
    '    first',
    '      debug.echo',
    '    second',
    '      debug.echo',
  ]);
  for (const row of rows) expect(row).toMatch(/█ *(< 1 ms|[\d.]+m?s)$/);
  const { trace } = JSON.parse((await api.run('run:show', [id, '--trace', '--json'])).stdout) as {
    trace: { span_id: string; parent_span_id: string | null; name: string; status: string }[];
  };
  const ids = new Set(trace.map(({ span_id: one }) => one));
  expect(ids.size).toBe(trace.length);
  expect(trace.filter(({ parent_span_id: one }) => one === null || !ids.has(one))).toHaveLength(1);
  const failed = JSON.parse(
    (await api.run('run:show', [await finished('broken'), '--trace', '--json'])).stdout,
  ) as { trace: { name: string; status: string }[] };
  expect(failed.trace.map(({ name, status }) => `${name} ${status}`)).toContain('only failed');
});

test('run show cuts long values, and --full does not', async () => {
  const id = await finished('wordy');
  const short = await api.run('run:show', [id]);
  expect(short.stderr).toContain(`pao run show ${id} --full`);
  expect(Math.max(...short.stdout.split('\n').map((line) => line.length))).toBeLessThan(260);
  const full = await api.run('run:show', [id, '--full']);
  expect(full.stderr).not.toContain('--full');
  expect(full.stdout).toContain('a long text '.repeat(39));
});

test('run list takes task, status and since, and refuses what is none of them', async () => {
  await finished('report');
  const failed = await finished('broken');
  const list = await api.run('run:list', ['--task', 'broken', '--status', 'failed,dead', '--since', '1h']);
  expect(list.stdout).toContain(failed);
  expect(list.stdout).not.toContain('report');
  expect((await api.run('run:list', ['--status', 'failed', '--task', 'report'])).stdout).toBe('');
  expect((await api.run('run:list', ['--status', 'nonsense'])).exitCode).toBe(2);
  expect((await api.run('run:list', ['--since', 'yesterday'])).exitCode).toBe(2);
});

test('a failed run shows its error and is exit 1 for who watches it', async () => {
  const id = await finished('broken');
  expect((await api.run('run:show', [id])).stdout).toContain('The tool said no.');
  const watched = await api.run('run:watch', [id]);
  expect(watched).toMatchObject({ exitCode: 1, stdout: `${id}  failed\n` });
  expect((await api.run('run:cancel', [id])).stderr).toContain('broken has ended already: failed');
});

test('run replay runs it again, from a step on with what was recorded before', async () => {
  const id = await finished('report');
  const again = await api.run('run:replay', [id, '--from-step', 'second', '--wait', '--json']);
  const replayed = JSON.parse(again.stdout) as { id: string };
  expect(replayed).toMatchObject({ status: 'succeeded', trigger: 'replay', parent_run_id: id });
  expect(replayed.id).not.toBe(id);
  const wrong = await api.run('run:replay', [id, '--from-step', 'third']);
  expect(wrong).toMatchObject({ exitCode: 2, error: { problems: [{ pointer: '/from_step' }] } });
});

test('run cancel ends a run, and its watcher ends with 1', async () => {
  const { stdout } = await api.run('task:run', ['held']);
  const id = stdout.trim();
  expect(await api.run('run:cancel', [id])).toMatchObject({ error: null, exitCode: 0 });
  // Whether it was queued or cut off in its step, it ends; the store says so.
  const row = await api.system.until(id, 'canceled');
  expect((await api.run('run:cancel', [id])).stderr).toContain('has ended already: canceled');
  expect(row.status).toBe('canceled');
  expect((await api.run('run:watch', [id])).exitCode).toBe(1);
});

test('run cancel takes a token that may stop runs and not see them', async () => {
  const made = await api.run('agent:create', [
    'stopper',
    ...['runs:write', 'tasks:read', 'tasks:write', 'tool:debug.echo'].flatMap((scope) => ['--scope', scope]),
    '--json',
  ]);
  const env = { PAO_TOKEN: (JSON.parse(made.stdout) as CreatedAgentObject).token.secret };
  const own = 'name: own\npipeline:\n  - { id: only, uses: debug.echo, with: {} }\n';
  expect(await api.run('task:apply', ['-'], { input: own, env })).toMatchObject({ error: null });
  const { stdout } = await api.run('task:run', ['own'], { env });
  expect(await api.run('run:cancel', [stdout.trim()], { env })).toMatchObject({ error: null, exitCode: 0 });
});

test('what is no run is refused before anything is asked, and an unknown one is not found', async () => {
  expect((await api.run('run:show', ['nonsense'])).exitCode).toBe(2);
  expect((await api.run('run:show', [`run_${'0'.repeat(32)}`])).exitCode).toBe(5);
});

test('since takes how long ago, a day, or an instant', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  expect(instantBefore('2h', now)).toBe('2026-11-24T10:00:00.000Z');
  expect(instantBefore('2026-11-24T06:30:00+02:00', now)).toBe('2026-11-24T04:30:00.000Z');
  expect(instantBefore('2026-11-24', now)).toBe(new Date(2026, 10, 24).toISOString());
  expect(() => instantBefore('2026-13-45', now)).toThrow(/no time/);
  // Date.parse takes it for the first of December.
  expect(() => instantBefore('2026-11-31', now)).toThrow(/no time/);
  expect(() => momentOf('2026-11-31 08:30', now, 'Europe/Berlin')).toThrow(/no time/);
});
