import type { ApprovalObject, ListPage } from '../../client/api-objects.js';
import { h } from '../dom.js';
import { timeOf } from '../time.js';
import { chip, list, more, row, section } from '../ui.js';
import { SOON, type View } from '../view.js';
import { toneOf } from '../words.js';

const MOST = 100;

/** When it was answered, or could be no more. RFC 3339 in UTC: these sort as text. */
const endOf = (one: ApprovalObject): string => one.decided_at ?? one.expires_at;

/** A question as a line. */
export const approvalRow = (one: ApprovalObject): HTMLElement =>
  row({
    href: `#approval=${one.id}`,
    mark: toneOf(one.state),
    title: [firstLine(one.message), one.state === 'pending' ? null : [' ', chip(one.state)]],
    detail: `${one.task_name}, step ${one.step}`,
    side:
      one.state === 'pending'
        ? [
            h('span', null, 'until ', timeOf(one.expires_at, 'inText')),
            h('small', null, timeOf(one.expires_at, 'fromNow')),
          ]
        : timeOf(endOf(one)),
  });

/** Of a question what fits on a line. */
export const firstLine = (text: string) => {
  const line = text.trim().split('\n')[0] as string;
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
};

/** What waits for a person, and what was decided. */
export const approvalsView: View<{ open: ListPage<ApprovalObject>; closed: ListPage<ApprovalObject> }> = {
  menu: 'approvals',
  every: () => SOON,
  async load({ api, signal }) {
    const [open, closed] = await Promise.all([
      api.get<ListPage<ApprovalObject>>(`v1/approvals?limit=${MOST}`, signal),
      api.get<ListPage<ApprovalObject>>(
        'v1/approvals?state=approved,denied,expired,canceled&limit=20',
        signal,
      ),
    ]);
    // One whose time has passed may not be noted yet.
    const [waiting, late] = [
      open.items.filter(({ state }) => state === 'pending'),
      open.items.filter(({ state }) => state !== 'pending'),
    ];
    const ended = [...late, ...closed.items].sort((a, b) => endOf(b).localeCompare(endOf(a)));
    return { open: { ...open, items: waiting }, closed: { ...closed, items: ended } };
  },
  title: () => 'Approvals',
  render: ({ open, closed }) => [
    h('h1', null, 'Approvals'),
    section(
      'Open',
      list(open.items.map(approvalRow), 'Nothing waits for you.'),
      more(open, `Only the newest ${MOST} are shown.`),
    ),
    section('Before', list(closed.items.map(approvalRow), 'Nothing was asked yet.')),
  ],
};
