import type { ListPage, TaskObject } from '../../client/api-objects.js';
import { h } from '../dom.js';
import { timeOf } from '../time.js';
import { chip, list, more, row } from '../ui.js';
import { LATER, type View } from '../view.js';
import { scheduleOf, toneOf } from '../words.js';

const MOST = 200;

/** What is done, and when. */
export const tasksView: View<ListPage<TaskObject>> = {
  menu: 'tasks',
  every: () => LATER,
  load: ({ api, signal }) =>
    api.get<ListPage<TaskObject>>(`v1/tasks?state=active,paused,done&limit=${MOST}`, signal),
  title: () => 'Tasks',
  render: (page) => [
    h('h1', null, 'Tasks'),
    list(page.items.map(taskRow), 'There is no task yet: pao init briefing --demo writes a first one.'),
    more(page, `Only the newest ${MOST} are shown; pao task list has all.`),
  ],
};

const taskRow = (task: TaskObject): HTMLElement =>
  row({
    href: `#task=${task.id}`,
    mark: toneOf(task.state),
    title: [task.title ?? task.name, task.state === 'active' ? null : [' ', chip(task.state)]],
    detail: [task.title === null ? null : `${task.name} · `, scheduleOf(task)],
    side: [
      task.next_due_at === null || task.state !== 'active'
        ? h('span', { class: 'faint' }, task.schedule?.kind === 'event' ? 'on its event' : 'no next time')
        : h('span', null, timeOf(task.next_due_at)),
      task.last_run_at === null
        ? h('small', null, 'never ran')
        : h('small', null, 'ran ', timeOf(task.last_run_at, 'fromNow')),
    ],
  });
