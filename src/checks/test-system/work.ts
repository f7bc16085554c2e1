import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { endOf, ensureRun, makeTask, runsOf, runToEnd, see, seeRun, steps } from '../make.js';

const group = 'Work';

/** What the system is for: a run from start to end, and one that an event starts. */
export const workChecks: Check<LiveSystem>[] = [
  {
    id: 'run.end_to_end',
    title: 'A task runs from its first to its last step',
    group,
    requires: ['server', 'admin'],
    needs: ['heartbeat.worker'],
    async run(live, tools) {
      const task = await makeTask(live, tools, {
        ...steps(
          { id: 'first', uses: 'debug.echo', with: { words: ['a', 'b'] } },
          {
            id: 'second',
            uses: 'data.transform',
            with: { expression: 'length(@)', data: '${steps.first.words}' },
          },
        ),
      });
      const run = await runToEnd(live, tools, task);
      ensureRun(live, tools, run, 'succeeded');
      const outputs = Object.fromEntries((run.steps ?? []).map(({ id, output }) => [id, output]));
      const expected = { first: { words: ['a', 'b'] }, second: { value: 2 } };
      ensureEqual('What the steps gave', outputs, expected, seeRun(live, tools, run));
      return { status: run.status, duration_ms: run.duration_ms, steps: run.steps?.length };
    },
  },
  {
    id: 'event.triggers',
    title: 'An event starts the task that waits for it, once',
    group,
    requires: ['server', 'admin'],
    needs: ['heartbeat.scheduler', 'heartbeat.worker'],
    async run(live, tools) {
      const topic = `${live.name('event')}.arrived`;
      const task = await makeTask(live, tools, {
        schedule: { kind: 'event', topic },
        ...steps({ id: 'echo', uses: 'debug.echo', with: { subject: '${event.payload.subject}' } }),
      });
      const event = { topic, payload: { subject: 'hello' }, dedupe_key: topic };
      await live.client.publishEvent(event, tools);
      const again = await live.client.publishEvent(event, tools);
      ensureEqual(
        'Whether the second event is known',
        again.duplicate,
        true,
        see(live, tools, 'pao event tail'),
      );
      const [first] = await runsOf(live, tools, task, 1);
      const run = await endOf(live, tools, (first as { id: string }).id);
      ensureRun(live, tools, run, 'succeeded');
      ensureEqual('The trigger', run.trigger, 'event', seeRun(live, tools, run));
      ensureEqual(
        'What the event brought',
        run.steps?.[0]?.output,
        { subject: 'hello' },
        seeRun(live, tools, run),
      );
      const { items } = await live.client.listRuns({ taskId: task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, see(live, tools, `pao task explain ${task.name}`));
      return { topic, run: run.status, lateness_ms: run.lateness_ms };
    },
  },
];

/** The end of a suite's own system; the last check of all. */
export const stopCheck: Check<LiveSystem> = {
  id: 'stop.graceful',
  title: 'It stops when it is told to, and leaves no process behind',
  group: 'Stop',
  requires: ['ephemeral-server'],
  isExclusive: true,
  timeoutMs: 60_000,
  async run({ own }, tools) {
    ensure(own, 'There is no system of its own.', tools.rerun);
    const { code, duration_ms, orphans } = await own.stop();
    const evidence = { exit_code: code, duration_ms, orphans };
    ensureEqual('The exit code of pao start local', code, 0, tools.rerun, {
      ...evidence,
      output: tail(own.output),
    });
    ensureEqual('The processes that are left', orphans, [], 'ps -ef | grep pao', evidence);
    return evidence;
  },
};

const tail = (text: string) => text.trimEnd().split('\n').slice(-10);
