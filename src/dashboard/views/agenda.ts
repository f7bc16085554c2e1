import type { AgendaItem, AgendaObject, ListPage, TaskObject } from '../../client/api-objects.js';
import { h } from '../dom.js';
import { dateOf, dayName, elsewhere, timeOf, ZONE } from '../time.js';
import { chip, list, row, section } from '../ui.js';
import { LATER, type View } from '../view.js';
import { count } from '../words.js';

const DAYS = 7;
/** What is due more often than this in the days is named once. */
const OFTEN = DAYS * 8;

/** What is due in the next days, day by day. */
export const agendaView: View<{ agenda: AgendaObject; paused: ListPage<TaskObject> }> = {
  menu: 'agenda',
  every: () => LATER * 4,
  async load({ api, signal }) {
    const [agenda, paused] = await Promise.all([
      api.get<AgendaObject>(`v1/agenda?hours=${DAYS * 24}&limit=500&often=${OFTEN}`, signal),
      api.get<ListPage<TaskObject>>('v1/tasks?state=paused&limit=50', signal),
    ]);
    return { agenda, paused };
  },
  title: () => 'Agenda',
  render({ agenda: { items, often = [], truncated }, paused }) {
    const days = new Map<string, AgendaItem[]>();
    for (const one of items) days.set(dayName(one.at), [...(days.get(dayName(one.at)) ?? []), one]);
    return [
      h('h1', null, 'Agenda'),
      h('p', { class: 'faint' }, `The next ${DAYS} days, in the time of ${ZONE}.`),
      paused.items.length > 0 &&
        h(
          'p',
          { class: 'note' },
          `${count(paused.items.length, 'task is', 'tasks are')} paused and not in it: `,
          paused.items.map((task, index) => [
            index > 0 && ', ',
            h('a', { href: `#task=${task.id}` }, task.name),
          ]),
          '.',
        ),
      items.length + often.length === 0 && h('p', { class: 'empty' }, 'Nothing is due.'),
      often.length > 0 &&
        section(
          'Again and again',
          list(
            often.map((one) => itemRow(one, true)),
            '',
          ),
        ),
      [...days].map(([day, due]) => {
        const date = dateOf((due[0] as AgendaItem).at);
        const heading = [day, day !== date && h('span', { class: 'faint' }, ` ${date}`)];
        return section(
          heading,
          list(
            due.map((one) => itemRow(one)),
            '',
          ),
        );
      }),
      truncated && h('p', { class: 'empty' }, 'There is more than is shown.'),
    ];
  },
};

function itemRow(one: AgendaItem, isOften = false): HTMLElement {
  const marks = [
    one.skipped === true
      ? chip('skipped: vacation', 'look')
      : one.quiet !== null &&
        chip(one.quiet === 'vacation' ? 'vacation: messages wait' : 'quiet: messages wait', 'calm'),
  ];
  return row({
    href: `#task=${one.task_id}`,
    title: [one.task_name, ' ', marks],
    detail: elsewhere(one.at, one.timezone),
    side: isOften ? ['next ', timeOf(one.at, 'inText')] : timeOf(one.at, 'clockTime'),
  });
}
