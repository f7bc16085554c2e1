import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApprovalObject, RunObject } from '../../src/client/api-objects.js';
import { type Pao, startPao } from './start-pao.js';

const HOUR = 3_600_000;
let pao: Pao;

beforeAll(async () => {
  pao = await startPao({ clock: '2026-11-24T06:00:00Z' });
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});

async function asks(name: string, schedule?: object): Promise<void> {
  const { status } = await pao.api('POST', '/v1/tasks', {
    name,
    ...(schedule === undefined ? {} : { schedule }),
    pipeline: [
      { id: 'ask', approve: { message: 'Send the report?', data: { text: 'draft' }, expires_in: '1h' } },
      { id: 'say', uses: 'debug.echo', with: { text: '${steps.ask.data.text}' } },
    ],
  });
  expect(status).toBe(201);
}
const open = async () => (await pao.api<{ items: ApprovalObject[] }>('GET', '/v1/approvals')).body.items;
const runs = async (task: string, status: string) =>
  (await pao.api<{ items: RunObject[] }>('GET', `/v1/runs?task_id=${task}&status=${status}`)).body.items;

/** Starts a run and waits until it asks. */
async function waitingRun(task: string): Promise<RunObject> {
  const run = await pao.json<RunObject>(['task', 'run', task, '--json']);
  await expect.poll(() => runs(task, 'waiting'), { timeout: 20_000 }).toHaveLength(1);
  return run;
}

test('a person answers from the command line, and may change what is sent', async () => {
  await asks('report');
  const run = await waitingRun('report');
  const decided = await pao.json<ApprovalObject>(['run', 'approve', '--data', '{"text": "final"}', '--json']);
  expect(decided).toMatchObject({ run_id: run.id, state: 'approved', data: { text: 'final' } });
  const ended = await pao.api<RunObject>('GET', `/v1/runs/${run.id}?wait=20s`);
  expect(ended.body).toMatchObject({ status: 'succeeded', output: { text: 'final' } });
  const nothing = await pao.cli(['run', 'approve']);
  expect(nothing.code).toBe(5);
  expect(nothing.stderr).toMatch(/No approval is open/);
});

test('a no ends the run, with who said it and why', async () => {
  await asks('plan');
  const run = await waitingRun('plan');
  const { code } = await pao.cli(['run', 'reject', run.id, 'ask', '--comment', 'not today']);
  expect(code).toBe(0);
  const ended = await pao.api<RunObject>('GET', `/v1/runs/${run.id}?wait=20s`);
  expect(ended.body).toMatchObject({ status: 'failed', reason: 'denied' });
  expect(ended.body.error?.message).toMatch(/not today/);
  const twice = await pao.api<{ detail: string }>('POST', `/v1/runs/${run.id}/approvals/ask`, {
    decision: 'approve',
  });
  expect(twice.status).toBe(409);
  expect(twice.body.detail).toMatch(/was denied already by agent:\w+ at 2026-11-24T06:/);
});

test('F18: an occurrence that meets a run in approval leaves a row; unanswered is expired, not denied, and late is told so', async () => {
  await asks('morning', {
    kind: 'cron',
    expr: '*/15 * * * *',
    timezone: 'UTC',
    overlap: 'skip',
  });
  await pao.advance(HOUR / 4);
  await expect.poll(() => runs('morning', 'waiting'), { timeout: 20_000 }).toHaveLength(1);
  const [approval] = await open();
  await pao.advance(HOUR / 4);
  await expect.poll(() => runs('morning', 'skipped'), { timeout: 20_000 }).toHaveLength(1);
  expect((await runs('morning', 'skipped'))[0]).toMatchObject({ reason: 'overlap' });
  await pao.advance(HOUR);
  await expect.poll(() => runs('morning', 'failed'), { timeout: 20_000 }).toHaveLength(1);
  expect((await runs('morning', 'failed'))[0]).toMatchObject({ reason: 'expired' });
  const late = await pao.cli(['run', 'approve', approval?.id as string]);
  expect(late.code).toBe(1);
  expect(late.stderr).toMatch(/expired at 2026-11-24T07:1/);
  for (const named of [[], ['ask']]) {
    const byRun = await pao.cli(['run', 'approve', approval?.run_id as string, ...named]);
    expect(byRun.stderr).toMatch(/expired at 2026-11-24T07:1/);
    expect(byRun.code).toBe(1);
  }
  const noStep = await pao.cli(['run', 'approve', approval?.run_id as string, 'say']);
  expect(noStep.stderr).toMatch(/Step say of run run_\w+ asks nothing: the run is failed/);
  expect(noStep.code).toBe(5);
});

test('an agent does not answer for the person unless it was given that right', async () => {
  await asks('private');
  const run = await waitingRun('private');
  const { body } = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', {
    name: 'helper',
  });
  const answer = await pao.api<{ detail: string }>(
    'POST',
    `/v1/runs/${run.id}/approvals/ask`,
    { decision: 'approve' },
    { token: body.token.secret },
  );
  expect(answer.status).toBe(403);
  expect(answer.body.detail).toMatch(/approvals:decide/);
  const { body: audit } = await pao.api<{ items: { action: string }[] }>('GET', '/v1/audit?limit=50');
  expect(audit.items.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['approval.approved', 'approval.denied']),
  );
});
