import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { ensureRun, makeTask, runToEnd, seeRun, steps } from '../make.js';
import { refusedWith } from './tasks.js';
import type { World } from './world.js';

const group = 'Pipelines';
const requires = ['server', 'admin'] as const;

/** What stands in a pipeline becomes what a tool is given. */
export const templateChecks: Check<World>[] = [
  {
    id: 'templates.types',
    title: 'A value keeps its type alone, and becomes text inside text',
    group,
    requires,
    async run(world, tools) {
      const params = { count: 3, list: [1, 2], deep: { yes: true } };
      const task = await makeTask(world, tools, {
        params,
        ...steps({
          id: 'echo',
          uses: 'debug.echo',
          with: {
            count: '${params.count}',
            list: '${params.list}',
            deep: '${params.deep.yes}',
            text: 'n=${params.count} l=${params.list}',
            absent: '${params.nothing?}',
            computed: '${length(params.list)}',
          },
        }),
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'succeeded');
      const expected = { count: 3, list: [1, 2], deep: true, text: 'n=3 l=[1,2]', absent: null, computed: 2 };
      ensureEqual('What the tool was given', run.steps?.[0]?.output, expected, seeRun(world, tools, run));
      return expected;
    },
  },
  {
    id: 'templates.missing',
    title: 'A missing value is an error that names it and what is near',
    group,
    requires,
    async run(world, tools) {
      const pipeline = [
        { id: 'one', uses: 'debug.echo', with: { subject: 'hello' } },
        { id: 'two', uses: 'debug.echo', with: { text: '${steps.one.subjekt}' } },
      ];
      const task = await makeTask(world, tools, steps(...pipeline));
      const run = await runToEnd(world, tools, task);
      const hint = seeRun(world, tools, run);
      ensureEqual('The status of the run', run.status, 'failed', hint, { run });
      const said = JSON.stringify([run.error, run.steps?.at(-1)?.error]);
      ensure(said.includes('subjekt'), 'The error does not name the missing value.', hint, {
        error: run.error,
      });
      ensure(said.includes('subject'), 'The error does not name the nearest value.', hint, {
        error: run.error,
      });
      const refused = await refusedWith(
        world.client.createTask(
          {
            name: world.name('task'),
            ...steps({ id: 'a', uses: 'debug.echo', with: { x: '${steps.b.x}' } }),
          },
          tools,
        ),
      );
      ensureEqual('The status of a step that is not there', refused?.httpStatus, 422, hint);
      return { error: run.error?.message };
    },
  },
  {
    id: 'templates.dates',
    title: "Dates are those of the run's instant, in the task's zone",
    group,
    requires,
    async run(world, tools) {
      const task = await makeTask(world, tools, {
        schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'Asia/Kolkata' },
        ...steps({
          id: 'echo',
          uses: 'debug.echo',
          with: { date: '${run.local_date}', start: '${run.day_start}', at: '${run.scheduled_for}' },
        }),
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'succeeded');
      const local = new Date(Date.parse(run.scheduled_for) + 5.5 * 3_600_000).toISOString().slice(0, 10);
      const { date, start, at } = (run.steps?.[0]?.output ?? {}) as Record<string, string>;
      // Pipelines see whole seconds.
      const seconds = (instant: string | undefined) => Math.floor(Date.parse(instant ?? '') / 1000);
      const seen = { date, start, at: seconds(at) };
      const expected = {
        date: local,
        start: `${local}T00:00:00+05:30`,
        at: seconds(run.scheduled_for),
      };
      ensureEqual('The dates', seen, expected, seeRun(world, tools, run));
      return seen;
    },
  },
  {
    id: 'pipeline.control',
    title: 'Conditions, lists, side by side and fall-backs do what they say',
    group,
    requires,
    async run(world, tools) {
      const task = await makeTask(world, tools, {
        params: { names: ['ana', 'ion'] },
        ...steps(
          { id: 'never', uses: 'debug.echo', if: 'length(params.names) > `5`' },
          {
            id: 'each',
            uses: 'debug.echo',
            foreach: { items: '${params.names}' },
            with: { name: '${item}' },
          },
          {
            id: 'both',
            parallel: [
              { id: 'left', uses: 'debug.echo', with: { side: 'left' } },
              { id: 'right', uses: 'debug.echo', with: { side: 'right' } },
            ],
          },
          {
            id: 'broken',
            uses: 'data.transform',
            with: { expression: 'not_a_function(@)', data: {} },
            on_error: { fallback: { value: 'instead' } },
          },
          {
            id: 'last',
            uses: 'debug.echo',
            with: { value: '${steps.broken.value}', names: '${steps.each}' },
          },
        ),
      });
      const run = await runToEnd(world, tools, task);
      const hint = seeRun(world, tools, run);
      ensureEqual('The status of the run', run.status, 'partial', hint, { run });
      const step = (id: string) => run.steps?.find((one) => one.id === id);
      ensureEqual('The step whose condition is false', step('never')?.status, 'skipped', hint, { run });
      const last = step('last')?.output as { value?: unknown; names?: unknown };
      ensureEqual('The fall-back', last?.value, 'instead', hint, { run });
      const names = JSON.stringify(last?.names);
      ensure(names.includes('ana') && names.includes('ion'), 'Not every item of the list was done.', hint, {
        run,
      });
      const sides = ['left', 'right'].map((id) => step(id)?.status ?? JSON.stringify(step('both')?.output));
      return { status: run.status, steps: run.steps?.map(({ id, status }) => `${id} ${status}`), sides };
    },
  },
];
