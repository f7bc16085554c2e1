import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../start-pao.js';
import {
  applyTask,
  briefingTask,
  finishedRun,
  type Json,
  message,
  type RunView,
  startWorld,
  stepOf,
  type World,
} from './briefing-world.js';

let world: World;
let pao: Pao;

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
    await world.close();
  }
});

async function start(workers: number): Promise<void> {
  world = await startWorld();
  pao = await startPao({ home: world.makeHome(), workers });
  world.writeSecrets(pao.home);
  await pao.json(['tool', 'import', 'tools.yaml'], { cwd: world.directory });
}

async function begin(change: (task: Json & { pipeline: Json[] }) => void = () => {}): Promise<string> {
  const task = briefingTask(world);
  delete task.schedule;
  change(task);
  const { id } = await applyTask(pao, task);
  const { body } = await pao.api<RunView>('POST', `/v1/tasks/${id}/run`, {});
  return body.id;
}

/** Kills the worker that has the run, by the process id its heartbeat tells. */
async function killWorkerOf(runId: string): Promise<void> {
  const { body } = await pao.api<RunView & { worker_id?: string }>('GET', `/v1/runs/${runId}`);
  const slot = /^wrk_(w\d+)_/.exec(body.worker_id ?? '')?.[1] ?? '';
  const pid = pao.workerPids().get(slot);
  if (pid === undefined) throw new Error(`No process of the worker is known: ${JSON.stringify(body)}`);
  process.kill(pid, 'SIGKILL');
}

describe('F9: a worker dies after Telegram took the message', () => {
  it('leaves the outcome unknown, sends nothing again, ends the run, and tells people', async () => {
    await start(1);
    // Telegram takes the message and its answer never comes: the moment between acceptance and commit.
    world.telegram.faults.next({ kind: 'accept_then_hang' });
    const runId = await begin();
    await until('the message to be taken', () => world.telegram.messages.length === 1);
    await killWorkerOf(runId);
    const run = await finishedRun(pao, runId, 60_000);
    expect(run).toMatchObject({ status: 'succeeded', delivery: 'unknown' });
    expect(message(run)).toMatchObject({ status: 'unknown', reason: 'lease_lost', attempts: 1 });
    const told = await until('the notice', () => world.notices[0] ?? null);
    expect(told).toMatchObject({
      kind: 'message_unknown',
      last_run_id: runId,
      hint: `pao delivery show ${message(run).id}`,
    });
    // Nothing is due any more, also after the lease would have run out: it is a person who decides.
    expect(
      (await pao.api('POST', `/v1/deliveries/${message(run).id}/resolve`, { status: 'failed' })).status,
    ).toBe(200);
    expect(world.telegram.messages).toHaveLength(1);
  });
});

describe('F9: a worker dies while a call that may be made once is answered', () => {
  it('ends the run partial, calls nothing again, and tells people what to type', async () => {
    await start(1);
    world.telegram.faults.next({ kind: 'accept_then_hang' });
    const runId = await begin((task) => {
      // Said by the run itself, not by the outbox.
      delete stepOf(task, 'ping').kind;
    });
    await until('the message to be taken', () => world.telegram.messages.length === 1);
    await killWorkerOf(runId);
    const run = await finishedRun(pao, runId, 60_000);
    expect(run).toMatchObject({ status: 'partial', reason: 'unknown_outcome' });
    const told = await until('the notice', () => world.notices[0] ?? null);
    expect(told).toMatchObject({
      kind: 'run_needs_person',
      last_run_id: runId,
      hint: `pao run resolve ${runId} --done (or --not-done)`,
    });
    expect((await pao.cli(['run', 'resolve', runId, '--done'])).code).toBe(0);
    expect(world.telegram.messages).toHaveLength(1);
  });
});

describe('a worker dies in the middle of step 3 of 5', () => {
  it('goes on at step 3 elsewhere, does steps 1 and 2 not again, and delivers once', async () => {
    await start(2);
    world.mail.faults.next({ kind: 'hang' });
    // The import of the catalog has asked the mail server already.
    const before = world.mail.requests.length;
    const runId = await begin((task) => {
      stepOf(task, 'mail').timeout = '60s';
    });
    await until('the mail to be asked', () => world.mail.requests.length > before);
    await killWorkerOf(runId);
    const run = await finishedRun(pao, runId, 60_000);
    expect(run.status).toBe('succeeded');
    expect(world.calendarCalls()).toHaveLength(1);
    expect(world.weather.requests).toHaveLength(1);
    expect(world.telegram.messages).toHaveLength(1);
  });
});

describe('the supervisor dies', () => {
  it('leaves no orphan, and a new start ends what was begun, once', async () => {
    await start(1);
    world.weather.faults.next({ kind: 'hang' });
    const runId = await begin((task) => {
      stepOf(task, 'wx').timeout = '60s';
    });
    await until('the weather to be asked', () => world.weather.requests.length > 0);
    const children = pao.descendants();
    expect(children.length).toBeGreaterThan(2);
    await pao.killSupervisor();
    await until('the children to be gone', () => children.every((pid) => !isAlive(pid)), 10_000);
    pao = await startPao({ home: pao.home });
    // Whoever has the data directory knows that nobody else lives: no lease has to run out first.
    expect(pao.output()).toContain('work of a dead worker was taken back');
    const run = await finishedRun(pao, runId, 60_000);
    expect(run.status).toBe('succeeded');
    expect(world.calendarCalls()).toHaveLength(1);
    expect(world.telegram.messages).toHaveLength(1);
  });
});

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}
