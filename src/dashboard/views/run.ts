import type { ApprovalObject, ListPage, RunObject, StepObject } from '../../client/api-objects.js';
import { formatDuration } from '../../domain/duration.js';
import { isFinal } from '../../domain/run.js';
import { type Child, h } from '../dom.js';
import { timeOf } from '../time.js';
import { action, chip, confirmed, facts, fold, json, list, row, section } from '../ui.js';
import { type Context, LATER, SOON, type View } from '../view.js';
import { deliveryWords, latenessWords, reasonWords, toneOf, TRIGGER_WORDS } from '../words.js';
import { approvalRow } from './approvals.js';

interface One {
  run: RunObject;
  open: ApprovalObject[];
}

/** One run: how it went and why, step by step, what was sent, and what led to it. */
export const runView: View<One> = {
  menu: 'runs',
  every: ({ run }) =>
    isFinal(run.status) && !run.deliveries?.some(({ finished_at: at }) => at === null) ? LATER * 4 : SOON / 2,
  async load({ api, name, signal }) {
    const run = await api.get<RunObject>(`v1/runs/${encodeURIComponent(name)}`, signal);
    if (run.status !== 'waiting') return { run, open: [] };
    const { items } = await api.get<ListPage<ApprovalObject>>('v1/approvals?limit=100', signal);
    return { run, open: items.filter(({ run_id, state }) => run_id === run.id && state === 'pending') };
  },
  title: ({ run }) => `${run.task_name}: ${run.status}`,
  render({ run, open }, context) {
    const why = reasonWords(run);
    const { error, causes = [], published = [], deliveries = [], steps = [] } = run;
    return [
      h('p', { class: 'above' }, 'Run of ', h('a', { href: `#task=${run.task_id}` }, run.task_name)),
      h('h1', null, timeOf(run.scheduled_for), ' ', chip(run.status)),
      error === null ? why !== '' && h('p', { class: 'note' }, `Because ${why}.`) : errorBlock(error),
      open.length > 0 && section('Waits for you', list(open.map(approvalRow), '')),
      actions(run, context),
      facts([
        [
          'Started',
          run.started_at !== null && [timeOf(run.started_at), ` · ${latenessWords(run.lateness_ms)}`],
        ],
        ['Took', run.duration_ms !== null && formatDuration(run.duration_ms)],
        ['Came', TRIGGER_WORDS[run.trigger]],
        ['Attempts', run.attempt > 1 && run.attempt],
        ['Used', run.spent !== undefined && run.spent.tokens + run.spent.calls > 0 && run.spent.words],
        [
          'Replays',
          run.parent_run_id !== null &&
            run.trigger === 'replay' &&
            h('a', { href: `#run=${run.parent_run_id}` }, 'an earlier run'),
        ],
        ['Id', h('code', null, run.id)],
      ]),
      section(
        'Steps',
        steps.length === 0
          ? h('p', { class: 'empty' }, 'None began.')
          : h(
              'ol',
              { class: 'steps' },
              steps.map((step) => stepItem(step, error?.message)),
            ),
      ),
      deliveries.length > 0 &&
        section(
          'Messages',
          list(
            deliveries.map((one) =>
              row({
                mark: toneOf(one.status),
                title: [one.channel, ' ', chip(one.status)],
                detail: one.error?.message ?? deliveryWords(one),
                side: timeOf(one.finished_at ?? one.due_at ?? one.created_at),
              }),
            ),
            '',
          ),
        ),
      causes.length > 0 &&
        section(
          'What led to it',
          list(
            causes.map((one) =>
              one.kind === 'event'
                ? row({ title: `event ${one.topic}`, side: timeOf(one.at) })
                : row({
                    href: `#run=${one.id}`,
                    mark: toneOf(one.status),
                    title: [one.task_name, ' ', chip(one.status)],
                    side: timeOf(one.at),
                  }),
            ),
            '',
          ),
        ),
      published.length > 0 &&
        section(
          'What it published',
          list(
            published.map((one) => row({ title: one.topic, side: timeOf(one.at) })),
            '',
          ),
        ),
      fold('params', 'Params', Object.keys(run.params).length > 0 ? run.params : null),
      fold('output', 'Output', run.output),
    ];
  },
};

const errorBlock = ({ message, step, hint }: NonNullable<RunObject['error']>): HTMLElement =>
  h(
    'div',
    { class: 'error' },
    step !== undefined && h('strong', null, `${step}: `),
    message,
    hint !== undefined && h('p', { class: 'faint' }, hint),
  );

/** @param told what the run says already. */
function stepItem(step: StepObject, told: string | undefined): Child {
  const why = step.reason === null ? '' : reasonWords({ reason: step.reason, status: 'failed' });
  const about = [
    step.tool,
    step.duration_ms == null ? null : formatDuration(step.duration_ms),
    step.attempts > 1 ? `${step.attempts} attempts` : null,
    step.status === 'succeeded' ? null : why,
  ];
  const { input, output, error } = step;
  const parts = [
    input !== null && [h('h3', null, 'Input'), json(input)],
    output !== null && [h('h3', null, 'Output'), json(output)],
  ];
  return h(
    'li',
    null,
    h('span', { class: 'title' }, step.id),
    ' ',
    chip(step.status),
    h('span', { class: 'detail' }, about.filter(Boolean).join(' · ')),
    error !== null && error.message !== told && errorBlock(error),
    (input !== null || output !== null) &&
      h('details', { 'data-key': step.id }, h('summary', null, 'Input and output'), parts),
  );
}

function actions(run: RunObject, { api, me, signal, refresh }: Context): HTMLElement {
  const disabled = me.may('runs:write') ? null : 'This token lacks the scope runs:write';
  const path = `v1/runs/${run.id}`;
  if (!isFinal(run.status)) {
    const cancel = async () => {
      const question = `Cancel this run of ${run.task_name}? What its steps did stays done.`;
      if (!(await confirmed(question, 'Cancel it', signal))) return null;
      await api.post(`${path}/cancel`, { reason: `canceled by ${me.agent.name} in the dashboard` });
      refresh();
      return 'It is being canceled.';
    };
    return h('div', { class: 'actions' }, action('cancel', 'Cancel the run', cancel, { disabled }));
  }
  const replay = async () => {
    const again = await api.post<RunObject>(`${path}/replay`);
    if (!signal.aborted) location.hash = `#run=${again.id}`;
    return 'It runs again, for the same instant.';
  };
  return h('div', { class: 'actions' }, action('replay', 'Replay', replay, { disabled }));
}
