import type { ListPage, RunObject, TaskObject } from '../../client/api-objects.js';
import { RUN_STATUSES } from '../../domain/run.js';
import { h } from '../dom.js';
import { list, runRows } from '../ui.js';
import { LATER, SOON, type View } from '../view.js';

const FIRST = 50;
const STEP = 100;
const MOST = 1000;

const limitOf = (params: URLSearchParams) => Math.min(MOST, Number(params.get('limit')) || FIRST);
const GROUPS = [
  ['', 'All'],
  ['running,waiting,queued', 'Going on'],
  ['failed,dead,partial,missed', 'Went wrong'],
  ...RUN_STATUSES.map((status) => [status, status] as const),
] as const;

interface Runs {
  page: ListPage<RunObject>;
  tasks: ListPage<TaskObject>;
}

/** The address of a choice of runs. */
function placeOf(choice: Record<string, string>): string {
  const chosen = new URLSearchParams(Object.entries(choice).filter(([, value]) => value !== ''));
  return `#runs${chosen.size > 0 ? `&${chosen}` : ''}`;
}

/** What ran and what did not, newest first. */
export const runsView: View<Runs> = {
  menu: 'runs',
  every: ({ page }) =>
    page.items.length <= FIRST && page.items.some(({ finished_at: at }) => at === null) ? SOON : LATER,
  async load({ api, params, signal }) {
    const query = new URLSearchParams({ limit: String(limitOf(params)) });
    const [status, task] = [params.get('status'), params.get('task')];
    if (status) query.set('status', status);
    if (task) query.set('task_id', task);
    const nobody: ListPage<TaskObject> = { items: [], next_cursor: null };
    const [page, tasks] = await Promise.all([
      api.get<ListPage<RunObject>>(`v1/runs?${query}`, signal),
      // Only names to choose from: who may not see tasks does without.
      api.get<ListPage<TaskObject>>('v1/tasks?limit=200', signal).catch(() => nobody),
    ]);
    return { page, tasks: { ...tasks, items: tasks.items } };
  },
  title: () => 'Runs',
  render({ page, tasks }, { params }) {
    const [status, task] = [params.get('status') ?? '', params.get('task') ?? ''];
    const choose = (name: string) => (event: Event) => {
      const { value } = event.target as HTMLSelectElement;
      location.hash = placeOf({ status, task, [name]: value });
    };
    const options = (all: readonly (readonly [string, string])[], chosen: string) =>
      all.map(([value, name]) => h('option', { value, selected: value === chosen }, name));
    const names = tasks.items.map(({ id, name }) => [id, name] as const);
    const known = task === '' || names.some(([id]) => id === task) ? [] : [[task, 'this task'] as const];
    return [
      h('h1', null, 'Runs'),
      h(
        'div',
        { class: 'filters' },
        h('label', { for: 'status' }, 'Status'),
        h('select', { id: 'status', change: choose('status') }, options(GROUPS, status)),
        h('label', { for: 'task' }, 'Task'),
        h('select', { id: 'task', change: choose('task') }, options([['', 'All'], ...known, ...names], task)),
      ),
      list(runRows(page.items), 'There is no such run.'),
      page.next_cursor !== null &&
        h(
          'p',
          { class: 'empty' },
          `The newest ${page.items.length}. `,
          limitOf(params) < MOST
            ? h('a', { href: placeOf({ status, task, limit: String(limitOf(params) + STEP) }) }, 'Show more')
            : 'pao run list has all.',
        ),
    ];
  },
};
