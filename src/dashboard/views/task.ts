import type { ListPage, RunObject, SkippedTaskObject, TaskObject } from '../../client/api-objects.js';
import { type Part, part } from '../api.js';
import { h } from '../dom.js';
import { elsewhere, timeOf } from '../time.js';
import { action, chip, confirmed, facts, fold, list, runRows, section, shown } from '../ui.js';
import { scheduleOf } from '../words.js';
import { type Context, SOON, type View } from '../view.js';

interface One {
  task: TaskObject & { next_occurrences?: { at: string; local: string; note?: string }[] };
  runs: Part<ListPage<RunObject>>;
}

/** One task: when, what next, what before, and what a person may do with it. */
export const taskView: View<One> = {
  menu: 'tasks',
  every: () => SOON,
  async load({ api, name, signal }) {
    const id = encodeURIComponent(name);
    const [task, runs] = await Promise.all([
      api.get<One['task']>(`v1/tasks/${id}`, signal),
      part(api.get<ListPage<RunObject>>(`v1/runs?task_id=${id}&limit=15`, signal)),
    ]);
    return { task, runs };
  },
  title: ({ task }) => task.title ?? task.name,
  render({ task, runs }, context) {
    const { next_occurrences: next = [] } = task;
    return [
      h('p', { class: 'above' }, task.title === null ? 'Task ' : `${task.name} `, chip(task.state)),
      h('h1', null, task.title ?? task.name),
      task.description !== null && h('p', { class: 'text' }, task.description),
      task.state_reason !== null && h('p', { class: 'note' }, task.state_reason),
      actions(task, context),
      facts([
        ['When', scheduleOf(task)],
        ['Next', task.state === 'active' && task.next_due_at !== null && timeOf(task.next_due_at)],
        ...(task.open_windows?.items ?? []).slice(0, 5).map(({ words }) => ['Waits', words] as const),
        [
          'Left out before it',
          task.left_out_before !== undefined && task.left_out_before > 0 && task.left_out_before,
        ],
        ['Last run', task.last_run_at !== null && timeOf(task.last_run_at)],
        ['Used today', task.spent_today?.words],
        ['May cost', task.estimate?.words],
        ['Steps', task.pipeline.map((step) => String(step['id'])).join(', ')],
      ]),
      next.length > 0 &&
        task.state === 'active' &&
        section(
          'Due',
          h(
            'ul',
            { class: 'plain' },
            next.map(({ at, note }) => {
              const rest = [elsewhere(at, task.timezone), note].filter(Boolean).join(' · ');
              return h('li', null, timeOf(at), rest !== '' && h('span', { class: 'faint' }, ` · ${rest}`));
            }),
          ),
        ),
      section(
        'Runs',
        shown(runs, (page) => [
          list(runRows(page.items, false), 'It never ran.'),
          page.next_cursor !== null &&
            h('p', null, h('a', { href: `#runs&task=${task.id}` }, 'All runs of this task')),
        ]),
      ),
      fold('definition', 'Definition', {
        schedule: task.schedule,
        params: task.params,
        pipeline: task.pipeline,
      }),
    ];
  },
};

function actions(task: TaskObject, { api, me, signal, refresh }: Context): HTMLElement | false {
  if (task.state === 'canceled') return false;
  const path = `v1/tasks/${task.id}`;
  const lacks = (scope: string) => (me.may(scope) ? null : `This token lacks the scope ${scope}`);
  const done = (words: string) => {
    refresh();
    return words;
  };
  return h(
    'div',
    { class: 'actions' },
    action(
      'run-now',
      'Run now',
      async () => {
        const run = await api.post<RunObject>(`${path}/run`);
        if (!signal.aborted) location.hash = `#run=${run.id}`;
        return 'It is queued.';
      },
      { kind: 'primary', disabled: lacks('runs:write') },
    ),
    task.state === 'paused'
      ? action(
          'resume',
          'Resume',
          async () => {
            await api.post(`${path}/resume`);
            return done('It goes on.');
          },
          { disabled: lacks('tasks:write') },
        )
      : action(
          'pause',
          'Pause',
          async () => {
            await api.post(`${path}/pause`, { reason: `paused by ${me.agent.name} in the dashboard` });
            return done('Paused: what comes due meanwhile is left out, and has its rows.');
          },
          { disabled: lacks('tasks:write') },
        ),
    task.state === 'active' &&
      task.next_due_at !== null &&
      action(
        'skip',
        'Skip next',
        async () => {
          const question = `Leave out ${task.next_due_local ?? task.next_due_at} of ${task.name}?`;
          if (!(await confirmed(question, 'Leave it out', signal))) return null;
          const { left_out: out } = await api.post<SkippedTaskObject>(`${path}/skip`);
          return done(`Left out: ${out.local}.`);
        },
        { disabled: lacks('tasks:write') },
      ),
  );
}
