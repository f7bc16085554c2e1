import type {
  AgendaObject,
  ApprovalObject,
  ListPage,
  RunObject,
  TaskObject,
} from '../../client/api-objects.js';
import type { HealthReport } from '../../domain/health.js';
import { isPausedByPao } from '../../domain/paused-by-pao.js';
import { type Api, type Part, part } from '../api.js';
import { type Child, h } from '../dom.js';
import { now, timeOf } from '../time.js';
import { action, chip, list, more, row, runRows, section, shown } from '../ui.js';
import { type Context, LATER, SOON, type View } from '../view.js';
import { count, toneOf } from '../words.js';
import { approvalRow } from './approvals.js';

const DAY_MS = 86_400_000;
const AGENDA_EVERY_MS = 60_000;

/** Of the health what is shown: the rest changes with each look. */
interface Health {
  status: HealthReport['status'];
  version: string;
  /** To the minute: the second wanders. */
  since: string;
  parts: number;
  doubtful: Pick<HealthReport['checks'][number], 'name' | 'status' | 'message' | 'hint' | 'since'>[];
}

interface Now {
  health: Health;
  open: Part<ListPage<ApprovalObject>>;
  runs: Part<ListPage<RunObject>>;
  wrong: Part<ListPage<RunObject>>;
  next: Part<AgendaObject>;
  /** Tasks that pao paused by itself. */
  stopped: Pick<TaskObject, 'id' | 'name' | 'title' | 'state_reason' | 'updated_at'>[];
}

/** What is due changes slowly, and costs the server more than the rest: it is asked for once a minute, and by whoever signs in. */
let agenda: { api: Api; at: number; answer: Part<AgendaObject> } | undefined;

/** How things are, in one look. */
export const nowView: View<Now> = {
  menu: 'now',
  every: ({ runs }) =>
    'value' in runs && runs.value.items.some(({ status }) => status !== 'waiting') ? SOON : LATER,
  async load({ api, signal }) {
    const due = async () => {
      const first = agenda?.answer;
      const isOver = first && 'value' in first && Date.parse(first.value.items[0]?.at ?? '') < now();
      if (agenda?.api !== api || isOver || performance.now() - agenda.at > AGENDA_EVERY_MS) {
        const answer = await part(api.get<AgendaObject>('v1/agenda?hours=24&limit=5&often=1', signal));
        agenda = { api, at: performance.now(), answer };
      }
      return agenda.answer;
    };
    const since = new Date(now() - DAY_MS).toISOString();
    const [health, open, runs, wrong, refused, paused, next] = await Promise.all([
      api.get<HealthReport>('v1/health', signal).then(healthOf),
      part(api.get<ListPage<ApprovalObject>>('v1/approvals?limit=20', signal)),
      part(api.get<ListPage<RunObject>>('v1/runs?status=running,waiting,queued&limit=20', signal)),
      part(
        api.get<ListPage<RunObject>>(
          `v1/runs?status=failed,dead,partial,missed&since=${since}&limit=10`,
          signal,
        ),
      ),
      part(api.get<ListPage<RunObject>>(`v1/runs?status=skipped&since=${since}&limit=100`, signal)),
      part(api.get<ListPage<TaskObject>>('v1/tasks?state=paused&limit=200', signal)),
      due(),
    ]);
    const stopped = 'value' in paused ? paused.value.items.filter(isPausedByPao).map(stoppedOf) : [];
    return { health, open, runs, wrong: wentWrong(wrong, refused), next, stopped };
  },
  title: () => 'Now',
  render(data, context) {
    const { health, open, runs, wrong, next, stopped } = data;
    const asking = 'value' in open ? open.value.items : [];
    return [
      h('h1', { class: 'headline' }, headline(data)),
      asking.length > 0
        ? section('Waits for you', list(asking.map(approvalRow), ''))
        : 'refusal' in open &&
          section(
            'Waits for you',
            shown(open, () => null),
          ),
      stopped.length > 0 &&
        section(
          'Paused by pao',
          list(
            stopped.map((task) => stoppedRow(task, context)),
            '',
          ),
        ),
      section(
        'Going on',
        shown(runs, ({ items, next_cursor }) => [
          list(runRows(items), 'Nothing runs at the moment.'),
          more({ items, next_cursor }, 'There are more: see Runs.'),
        ]),
      ),
      section(
        'Went wrong in the last 24 hours',
        shown(wrong, ({ items, next_cursor }) => [
          list(runRows(items), 'Nothing did.'),
          more({ items, next_cursor }, 'There are more: see Runs.'),
        ]),
      ),
      section('Due next', shown(next, dueNext)),
      section('Health', healthLines(health)),
    ];
  },
};

/** A no of a person is what was asked for: nothing went wrong. What a budget did not let run did. */
function wentWrong(wrong: Now['wrong'], skipped: Now['wrong']): Now['wrong'] {
  if (!('value' in wrong)) return wrong;
  const items = [
    ...wrong.value.items.filter(({ reason }) => reason !== 'denied'),
    ...('value' in skipped ? skipped.value.items.filter(({ reason }) => reason === 'budget') : []),
  ];
  items.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
  return { value: { ...wrong.value, items: items.slice(0, 10) } };
}

const stoppedOf = ({ id, name, title, state_reason, updated_at }: TaskObject): Now['stopped'][number] => ({
  id,
  name,
  title,
  state_reason,
  updated_at,
});

/** A task that waits for somebody to look at it and resume it. */
function stoppedRow(task: Now['stopped'][number], { api, me, refresh }: Context): HTMLElement {
  const resume = async () => {
    await api.post(`v1/tasks/${task.id}/resume`);
    refresh();
    return `${task.name} goes on.`;
  };
  const disabled = me.may('tasks:write') ? null : 'This token lacks the scope tasks:write';
  return row({
    mark: 'look',
    title: h('a', { href: `#task=${task.id}` }, task.title ?? task.name),
    detail: [task.state_reason, ', ', timeOf(task.updated_at, 'inText')],
    side: action(`resume-${task.id}`, 'Resume', resume, { disabled }),
  });
}

function headline({ health, open, wrong, stopped }: Now): string {
  if (health.status === 'unhealthy') {
    const failing = health.doubtful.filter(({ status }) => status === 'fail').map(({ name }) => name);
    return `pao is not well: ${failing.join(', ')}.`;
  }
  const asking = 'value' in open ? open.value.items.length : 0;
  if (asking > 0) return `${count(asking, 'question waits', 'questions wait')} for you.`;
  const failed = 'value' in wrong ? wrong.value.items.length : 0;
  if (failed > 0) return `${count(failed, 'run')} of the last day went wrong.`;
  if (stopped.length > 0)
    return `${count(stopped.length, 'task is', 'tasks are')} paused until somebody resumes ${stopped.length === 1 ? 'it' : 'them'}.`;
  return health.status === 'degraded' ? 'It works, and something deserves a look.' : 'All is well.';
}

/** Of each task the next time alone. */
function dueNext({ items, often = [] }: AgendaObject): Child {
  const next = [...items, ...often].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(0, 5);
  const rows = next.map((one) =>
    row({
      href: `#task=${one.task_id}`,
      title: one.task_name,
      side: [timeOf(one.at), h('small', null, timeOf(one.at, 'fromNow'))],
    }),
  );
  return list(rows, 'Nothing is due in the next 24 hours.');
}

function healthOf({ status, version, uptime_seconds, checks }: HealthReport): Health {
  const since = new Date(Math.round((now() / 1000 - uptime_seconds) / 60) * 60_000).toISOString();
  const doubtful = checks
    .filter((one) => one.status !== 'pass')
    .map((one) => ({
      name: one.name,
      status: one.status,
      message: one.message,
      hint: one.hint,
      since: one.since,
    }));
  return { status, version, since, parts: checks.length, doubtful };
}

function healthLines({ status, version, since, parts, doubtful }: Health): Child {
  const well =
    doubtful.length === 0
      ? `all ${parts} parts are well`
      : `${parts - doubtful.length} of ${parts} parts are well`;
  return [
    h('p', null, chip(status), ` pao ${version}, up since `, timeOf(since, 'inText'), `; ${well}.`),
    doubtful.length > 0 &&
      list(
        doubtful.map((one) =>
          row({
            mark: toneOf(one.status),
            title: one.name,
            detail: [one.message, one.hint === null ? null : [' ', h('code', null, one.hint)]],
            side: timeOf(one.since, 'fromNow'),
          }),
        ),
        '',
      ),
  ];
}
