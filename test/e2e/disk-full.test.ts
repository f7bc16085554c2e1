import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type HeldTool, startHeldTool } from '../chaos/held-tool.js';
import { canMount, mountSmallDisk, type SmallDisk, sayNotCovered } from '../small-disk.js';
import { type Pao, runPao, startPao, until } from './start-pao.js';

const RESERVE = 'orchestrator.db-reserve';

interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  hints: string[];
}

sayNotCovered('a full disk seen through the whole system (507, reads, results, recovery)');

describe.skipIf(!canMount)('a full disk, seen through the whole system (needs root)', () => {
  let disk: SmallDisk;
  let tool: HeldTool;
  let pao: Pao;

  afterEach(async () => {
    try {
      await pao.stop();
    } finally {
      await tool.close();
      disk.remove();
    }
  });

  const status = async (runId: string) =>
    (await pao.api<{ status: string }>('GET', `/v1/runs/${runId}`)).body.status;
  const create = (name: string, more: object = {}) =>
    pao.api<Problem & { id: string }>('POST', '/v1/tasks', {
      name,
      pipeline: [{ id: 'one', uses: 'debug.echo', with: { text: 'x' } }],
      ...more,
    });

  it('refuses new work with 507, reads and results go on, and so does everything when there is room', async () => {
    disk = mountSmallDisk(24);
    tool = await startHeldTool();
    pao = await startPao({ home: disk.path, workers: 2 });
    await tool.addTo(pao);
    const processes = pao.descendants();
    expect(statSync(join(disk.path, RESERVE)).size).toBe(1024 * 1024);

    // Two runs are under way; another one comes due while the disk is full.
    tool.holds = true;
    const pipeline = [
      { id: 'send', uses: 'probe.once', with: { call: '${run.id}' } },
      { id: 'after', uses: 'probe.read', with: { call: 'after' } },
    ];
    const { body: task } = await create('held', { pipeline });
    const begin = async () => (await pao.api<{ id: string }>('POST', `/v1/tasks/${task.id}/run`, {})).body.id;
    const first = await begin();
    await until('the first call', () => tool.requests.length === 1);
    const at = new Date(Date.now() + 2000).toISOString();
    const { body: later } = await create('later', { schedule: { kind: 'once', at, timezone: 'UTC' } });
    const { body: agent } = await pao.api<{ id: string; token: { id: string } }>('POST', '/v1/agents', {
      name: 'guest',
      scopes: ['tasks:read'],
    });

    disk.fill();
    const refused = await until('new work to be refused', async () => {
      const answer = await create(`filler-${Math.random()}`, { description: 'x'.repeat(2000) });
      return answer.status === 201 ? null : answer;
    });
    expect(refused.status).toBe(507);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.body).toMatchObject({ code: 'PAO_DISK_FULL', title: 'The disk is full', status: 507 });
    expect(refused.body.hints[0]).toBe(`df -h ${disk.path}`);
    expect(statSync(join(disk.path, RESERVE)).size).toBe(0);

    // Reads go on, and what is wrong is said everywhere a person looks.
    for (const path of ['/v1/tasks', `/v1/runs/${first}`, '/v1/audit', '/health/ready', '/metrics'])
      expect([path, (await pao.api('GET', path)).status]).toEqual([path, 200]);
    expect((await pao.api<Problem>('POST', `/v1/tasks/${task.id}/run`, {})).body.code).toBe('PAO_DISK_FULL');
    expect((await pao.api('POST', '/v1/events', { topic: 'a', payload: {} })).status).toBe(507);
    const shown = await until('the status to say so', async () => {
      const result = await pao.cli(['status']);
      return result.code === 3 ? result : null;
    });
    expect(shown.stdout).toMatch(/disk +the disk is full/);
    const typed = await pao.cli(['task', 'run', 'held']);
    expect(typed).toMatchObject({ code: 3 });
    expect(typed.stderr).toContain('The disk is full');

    // A right is taken away, with its audit record, from the reserve.
    const revoked = await pao.api('DELETE', `/v1/agents/${agent.id}/tokens/${agent.token.id}`);
    expect(revoked.status).toBeLessThan(300);

    // What runs may end: its results come from the reserve as well.
    tool.release();
    await until('the first run to end', async () => (await status(first)) === 'succeeded');

    // Nothing new began meanwhile, however long it has been due.
    await until('the other task to be due', () => Date.now() > Date.parse(at));
    expect((await pao.api<{ items: unknown[] }>('GET', `/v1/runs?task_id=${later.id}`)).body.items).toEqual(
      [],
    );

    rmSync(join(disk.path, 'filler-1'));
    const room = performance.now();
    await until('new work to be taken', async () => (await create('afterwards')).status === 201);
    await until('the task that came due to run', async () => {
      const { body } = await pao.api<{ items: { status: string }[] }>('GET', `/v1/runs?task_id=${later.id}`);
      return body.items[0]?.status === 'succeeded' && body.items.length === 1;
    });
    console.log(`work went on ${Math.round(performance.now() - room)} ms after there was room`);
    await until('the system to be well', async () => (await pao.cli(['status'])).code === 0);
    expect(statSync(join(disk.path, RESERVE)).size).toBe(1024 * 1024);
    expect(tool.requests.filter(({ call }) => call === first)).toHaveLength(1);
    expect(pao.descendants()).toEqual(processes);
  });

  it('keeps results in memory while not even the reserve is left, and loses none of them', async () => {
    disk = mountSmallDisk(24);
    tool = await startHeldTool();
    pao = await startPao({ home: disk.path, workers: 1 });
    await tool.addTo(pao);
    tool.holds = true;
    const pipeline = Array.from({ length: 3 }, (_, index) => ({
      id: `s${index}`,
      uses: 'probe.once',
      with: { call: `\${run.id}/${index}`, text: 'x'.repeat(100_000) },
    }));
    const { body: task } = await create('held', { pipeline });
    const runs: string[] = [];
    for (let index = 0; index < 4; index++)
      runs.push((await pao.api<{ id: string }>('POST', `/v1/tasks/${task.id}/run`, {})).body.id);
    await until('the calls', () => tool.requests.length === runs.length);
    disk.fill();
    await until('new work to be refused', async () => {
      const answer = await create(`filler-${Math.random()}`, { description: 'x'.repeat(2000) });
      return answer.status === 507;
    });
    disk.fill();
    tool.release();
    await until('a write to fail', () => pao.output().includes('disk'));
    // Each waits with its first result in hand; none goes on to the next side effect without having written it.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (const run of runs) expect(await status(run)).toBe('running');
    expect(tool.requests.length).toBeLessThan(2 * runs.length);

    for (const name of readdirSync(disk.path).filter((file) => file.startsWith('filler')))
      rmSync(join(disk.path, name));
    for (const run of runs) await until('the run to end', async () => (await status(run)) === 'succeeded');
    const calls = tool.requests.map(({ call }) => call);
    expect(calls.toSorted()).toEqual(runs.flatMap((run) => [0, 1, 2].map((n) => `${run}/${n}`)).toSorted());
  });
});

describe.skipIf(!canMount)('a disk that can not be written at the start (needs root)', () => {
  it('says so for a read-only one, with exit code 3 and what to look at', async () => {
    const disk = mountSmallDisk(24);
    try {
      const before = await startPao({ home: disk.path });
      await before.stop();
      disk.setReadonly();
      const result = await runPao(['start', 'local', '--port', '0'], { home: disk.path });
      expect(result.code).toBe(3);
      expect(result.stderr).toMatch(/read-only|can not be written/);
      expect(result.stderr).toContain(disk.path);
      expect(result.stderr).not.toContain('    at ');
    } finally {
      disk.remove();
    }
  });

  it('says so for a full one, and starts when there is room', async () => {
    const disk = mountSmallDisk(24);
    try {
      disk.fill();
      const result = await runPao(['start', 'local', '--port', '0'], { home: disk.path });
      expect(result.code).toBe(3);
      expect(result.stderr).toContain('full');
      rmSync(join(disk.path, 'filler-1'));
      const pao = await startPao({ home: disk.path });
      await pao.stop();
      expect(existsSync(join(disk.path, 'run', 'server.json'))).toBe(false);
    } finally {
      disk.remove();
    }
  });
});
