import type { SpendTodayObject, SpentTodayObject } from '../../client/api-objects.js';
import { unitWords } from '../../domain/budget-words.js';
import { type Child, h } from '../dom.js';
import { section } from '../ui.js';
import { LATER, type View } from '../view.js';

const UNITS = ['usd', 'tokens', 'calls', 'runs'] as const;

/** What was used today, and of which budgets. */
export const spendView: View<SpendTodayObject> = {
  menu: 'spend',
  every: () => LATER,
  load: ({ api, signal }) => api.get<SpendTodayObject>('v1/spend', signal),
  title: () => 'Spend',
  render: ({ all, agents, tasks, truncated }) => [
    h('h1', null, 'Spend'),
    h('p', { class: 'faint' }, 'Since midnight, in the zone of each task and agent.'),
    all !== null && section('Everything', account(null, all)),
    section(
      'Agents',
      agents.map(({ name, spent_today }) => account(name, spent_today)),
    ),
    section(
      'Tasks',
      tasks.length === 0
        ? h('p', { class: 'empty' }, 'No task has a budget, or used anything today.')
        : tasks.map(({ task_id, name, spent_today }) =>
            account(h('a', { href: `#task=${task_id}` }, name), spent_today),
          ),
    ),
    truncated && h('p', { class: 'empty' }, 'There are more tasks or agents than are looked at here.'),
  ],
};

/** What was used of each limit, as a bar; of what has none, in words. */
function account(name: Child, spent: SpentTodayObject): HTMLElement {
  const { limits } = spent;
  const bounded = UNITS.filter((unit) => limits[unit] !== undefined);
  const rest = UNITS.filter((unit) => limits[unit] === undefined && spent[unit] > 0);
  return h(
    'div',
    { class: 'account' },
    name !== null && h('h3', null, name),
    bounded.map((unit) => {
      const [used, limit] = [spent[unit], limits[unit] as number];
      const words = `${unitWords(unit, used)} of ${unitWords(unit, limit)}`;
      const share = limit === 0 ? 1 : used / limit;
      return h(
        'p',
        { class: 'used' },
        h('meter', { min: 0, max: 1, value: Math.min(1, share), high: 0.8, optimum: 0, 'aria-label': words }),
        h('span', { class: share >= 1 ? 'bad' : null }, words),
      );
    }),
    bounded.length + rest.length === 0 && h('p', { class: 'faint' }, 'Nothing.'),
    rest.length > 0 &&
      h(
        'p',
        { class: 'faint' },
        bounded.length > 0 ? 'Besides ' : null,
        rest.map((unit) => unitWords(unit, spent[unit])).join(', '),
      ),
    spent.calls_of_unknown_price > 0 &&
      h('p', { class: 'faint' }, `${unitWords('calls', spent.calls_of_unknown_price)} of unknown price`),
  );
}
