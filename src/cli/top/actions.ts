import type { RunObject } from '../../client/api-objects.js';
import type { PaoClient } from '../../client/pao-client.js';
import { isFinal } from '../../domain/run.js';
import { describeError } from '../describe-error.js';
import { Output } from '../output.js';
import { showApproval } from '../render/approval-details.js';
import { fromNow, machineTime } from '../render/task-time.js';
import { visible } from '../visible.js';
import type { TopRow } from './sections.js';
import type { TopSource } from './source.js';
import type { Question, TopStore } from './state.js';

/** How long a request of a run that was started here is held: between them it is seen to wait. */
const RUN_LOOK_MS = 2000;

/** What keys do beyond moving about. */
export interface TopActions {
  showDetails(): void;
  togglePause(): void;
  runNow(): void;
  decide(): void;
  quit(): void;
  suspend(): void;
  /** Looks again at once. */
  refresh(): void;
}

export interface ActionMeans {
  store: TopStore;
  client: PaoClient;
  source: TopSource;
  out: Output;
  signal: AbortSignal;
  quit: () => void;
  suspend: () => void;
  refresh: () => void;
}

/** The actions of a dashboard; what the server does not permit ends as a line on the screen, in its own words. */
export function createActions(means: ActionMeans): TopActions {
  const { store, client, signal } = means;
  const refuse = (text: string) => store.change({ notice: { tone: 'warn', text } });
  const ask = (
    text: string,
    answers: Question['answers'],
    more: Partial<Pick<Question, 'about' | 'leave'>> = {},
  ) =>
    store.change({
      mode: {
        kind: 'question',
        question: { text, answers, leave: 'no', ...more },
        before: store.state.mode,
        scroll: 0,
      },
      notice: null,
    });
  return {
    quit: means.quit,
    suspend: means.suspend,
    refresh() {
      means.source.refreshAll();
      means.refresh();
    },
    showDetails() {
      const { row } = store;
      if (row === null) return;
      store.change({ mode: { kind: 'details', row, text: null, scroll: 0 }, notice: null });
      const show = (text: string) => {
        const { mode } = store.state;
        if (mode.kind === 'details' && mode.row.key === row.key) store.change({ mode: { ...mode, text } });
      };
      detailsOf(row, means).then(show, (error: unknown) => show(wordsOf(error)));
    },
    togglePause() {
      const task = store.row?.target.task;
      if (task === undefined)
        return refuse('Only a task can be paused: select a run, an approval, or what is due.');
      const isPaused = store.state.snapshot.paused.some(({ id }) => id === task.id);
      const act = async () =>
        said(
          isPaused
            ? await client.resumeTask(task.id, undefined, { signal })
            : await client.pauseTask(task.id, 'paused in pao top', { signal }),
        );
      ask(`${isPaused ? 'Resume' : 'Pause'} ${visible(task.name)}?`, [{ key: 'y', label: 'yes', act }]);
    },
    runNow() {
      const task = store.row?.target.task;
      if (task === undefined)
        return refuse('Only a task can be run: select a run, an approval, or what is due.');
      ask(`Run ${visible(task.name)} now?`, [
        {
          key: 'y',
          label: 'yes',
          act: async () => {
            const run = await client.runTask(task.id, {}, { signal });
            if (!isFinal(run.status)) void sayHowItEnds(run, means);
            return becameOf(run);
          },
        },
      ]);
    },
    decide() {
      const { row } = store;
      const { approvals } = store.state.snapshot;
      const open = approvals.find(
        ({ id, run_id: run }) =>
          id === row?.target.id || (row?.target.kind === 'run' && run === row.target.id),
      );
      if (open === undefined)
        return refuse('Nothing here waits for an answer: select what waits for a person.');
      const decide = (decision: 'approve' | 'deny') => async () => {
        const { state, task_name: name } = await client.decideApproval(open.id, { decision }, { signal });
        return `${visible(name)}: ${state}`;
      };
      const { text, into } = collected(means.out, store.state.columns);
      showApproval(open, into);
      ask(
        `${visible(open.task_name)} asks: ${visible(open.message)}`,
        [
          { key: 'y', label: 'approve', act: decide('approve') },
          { key: 'n', label: 'deny', act: decide('deny') },
        ],
        { about: text(), leave: 'leave it open' },
      );
    },
  };
}

const said = ({ name, state }: { name: string; state: string }) => `${visible(name)} is ${state}`;

const becameOf = ({ task_name: name, status, reason, id }: RunObject) =>
  `${visible(name)}: ${status}${reason === null ? '' : ` (${visible(reason)})`}, ${id}`;

/** Says what became of a run that was started here: when it waits for something, and when it has ended. */
async function sayHowItEnds(
  run: RunObject,
  { client, store, signal, refresh }: Pick<ActionMeans, 'client' | 'store' | 'signal' | 'refresh'>,
): Promise<void> {
  let said = run.status;
  const onUpdate = (now: RunObject) => {
    const { status } = now;
    if (status === said || !(isFinal(status) || status === 'waiting')) return;
    said = status;
    const tone = status === 'succeeded' ? 'good' : status === 'waiting' ? 'warn' : 'bad';
    store.change({ notice: { tone, text: becameOf(now) } });
    refresh();
  };
  // A server that is away is said by the dashboard itself.
  await client.waitForRun(run.id, { signal, everyMs: RUN_LOOK_MS, onUpdate }).catch(() => {});
}

/** An error in one line, with what to do about it. */
export function wordsOf(error: unknown): string {
  const { message, problems, hints } = describeError(error);
  const first = problems[0]?.message;
  return visible([message, first === undefined ? null : `(${first})`, hints[0]].filter(Boolean).join('  '));
}

/** What Enter shows of a row: the same text as the command that shows it. */
async function detailsOf(
  { target, name, detail, note }: TopRow,
  { client, out, store, signal }: ActionMeans,
): Promise<string> {
  const { text, into } = collected(out, store.state.columns);
  const { id } = target;
  switch (target.kind) {
    case 'run': {
      const { showRun } = await import('../render/run-details.js');
      showRun(await client.getRun(id, { signal }), into, false);
      break;
    }
    case 'task': {
      const { showTask } = await import('../render/task-lines.js');
      showTask(await client.getTask(id, { signal }), into, Date.now());
      break;
    }
    case 'delivery': {
      const { showDelivery } = await import('../render/delivery-lines.js');
      showDelivery(await client.getDelivery(id, { signal }), into);
      break;
    }
    case 'approval':
      showApproval(await client.getApproval(id, { signal }), into);
      break;
    case 'agent': {
      const { showAgentBudget } = await import('../render/agent-details.js');
      const agent = await client.getAgent(id, { signal });
      into.line(into.paint.bold(visible(agent.name)));
      showAgentBudget(into, agent);
      break;
    }
    case 'worker': {
      const worker = store.state.snapshot.workers.find((one) => one.id === id);
      into.line(into.paint.bold(name));
      into.line();
      if (worker !== undefined)
        into.pairs(
          [
            ['id', worker.id],
            ['host', visible(worker.host)],
            ['process', String(worker.pid)],
            ['version', visible(worker.version)],
            ['busy', `${worker.slots_busy} of ${worker.slots_total}`],
            ['tags', visible(worker.tags.join(', ')) || '-'],
            ['started', machineTime(worker.started_at)],
            [
              'last sign',
              `${machineTime(worker.last_seen_at)} (${fromNow(worker.last_seen_at, Date.now())})`,
            ],
          ],
          '  ',
        );
      break;
    }
    case 'check':
      into.line(into.paint.bold(name));
      into.line(detail);
      if (note !== '') into.hint(note);
  }
  return text();
}

/** An output that is kept as text; hints come with it. */
function collected({ options }: Output, columns: number): { text: () => string; into: Output } {
  let kept = '';
  const stream = { write: (text: string) => (kept += text), isTTY: true, columns: columns - 2 };
  const colour = { stdout: options.colour.stdout, stderr: options.colour.stdout };
  return {
    text: () => kept,
    into: new Output({ ...options, stdout: stream, stderr: stream, colour, json: false, quiet: false }),
  };
}
