import { CHANNEL_PREFIX } from '../../domain/channel.js';
import type { NewDelivery } from '../../domain/delivery.js';
import { zoneOf } from '../../domain/broken-schedule.js';
import { renderTemplate } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import { compileRecurrence } from '../../domain/recurrence/index.js';
import { quietTimesOf } from '../../domain/quiet-times.js';
import type { Task } from '../../domain/task.js';
import type { Config } from '../config.js';
import { readAgentQuiet } from '../deliver/agent-quiet.js';
import { digestKeyOf } from '../deliver/digest.js';
import { newDelivery } from '../deliver/new-delivery.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { Notice } from './notice.js';

type NotifyConfig = Config['notify'];
type Target = Partial<Pick<NotifyConfig, 'webhook' | 'tool' | 'channel' | 'with'>>;

/**
 * The message that a notice becomes: to where the task says, else to where the configuration says. Not one of itself when
 * notices are gathered for a digest, which has one of each kind and task.
 * @param key what it stands for, once.
 * @returns null when nobody is to be told.
 */
export async function noticeDelivery(
  notice: Notice,
  about: { task: Task | null; agentId: string },
  key: string,
  options: {
    store: Pick<Store, 'getMeta'>;
    notify: NotifyConfig;
    now: number;
    logger: Pick<Logger, 'error'>;
  },
): Promise<NewDelivery | null> {
  const { notify, now } = options;
  const { task, agentId } = about;
  const own = task?.spec.monitor?.notify;
  const call = callFor(notice, own ?? notify, zoneOf(task?.spec.schedule), options.logger);
  if (call === null) return null;
  const byOperator = own === undefined;
  const digestAt = byOperator && notify.digest !== undefined ? nextDigest(notify.digest, now) : null;
  const times = quietTimesOf(task?.spec ?? null, await readAgentQuiet(options.store, agentId));
  const message = newDelivery(
    {
      agentId,
      key: digestAt === null ? key : digestKeyFor(notice, key, digestAt),
      origin: 'notice',
      taskId: task?.id ?? null,
      runId: null,
      stepId: null,
      channel: call.channel,
      message: { input: call.input, ...(byOperator ? { byOperator } : {}) },
      urgent: notify.urgent,
    },
    times,
    now,
  );
  if (digestAt === null) return message;
  const digestKey = digestKeyOf('operator', call.channel, call.input);
  return { ...message, status: 'deferred', reason: 'digest', dueAt: digestAt, digestKey };
}

/**
 * What one line of the digest stands for: a task and kind, where a later notice says the same again. What is told once is not
 * told again by the next digest.
 */
const digestKeyFor = ({ kind, task_id: taskId }: Notice, key: string, at: number): string =>
  SAME_AGAIN.includes(kind) ? `${kind}/${taskId}/digest/${at}` : key;

const SAME_AGAIN: readonly Notice['kind'][] = [
  'task_failing',
  'task_paused',
  'task_recovered',
  'message_failed',
  'message_unknown',
];

function callFor(
  notice: Notice,
  target: Target,
  zone: string,
  logger: Pick<Logger, 'error'>,
): { channel: string; input: unknown } | null {
  if (target.channel !== undefined) {
    const { kind, title, text, hint } = notice;
    const input = { title, text: `${text}\n${LEAD_IN[kind] ?? ''}${hint}`, data: notice };
    return { channel: CHANNEL_PREFIX + target.channel, input };
  }
  if (target.webhook !== undefined) {
    const input = { url: target.webhook, type: `pao.${notice.kind}`, payload: notice };
    return { channel: 'notify.webhook', input };
  }
  if (target.tool === undefined) return null;
  // Some kinds leave these out; a template may name them all the same.
  const scope = { values: { notice: { failures: null, failing_since: null, ...notice } }, zone };
  const plain = (error: TemplateError): string => {
    logger.error(
      { notice: notice.kind, tool: target.tool, reason: error.message },
      'a part of the input (with) of a notice could not be rendered; its plain words stand there',
    );
    return `${notice.title}: ${notice.text} ${LEAD_IN[notice.kind] ?? ''}${notice.hint}`;
  };
  return { channel: target.tool, input: renderEach(target.with ?? {}, scope, plain) };
}

/** Renders text by text: one that can not be rendered gives way to `instead`, as a notice must not be lost for it. */
function renderEach(
  value: unknown,
  scope: Parameters<typeof renderTemplate>[1],
  instead: (error: TemplateError) => string,
): unknown {
  try {
    return renderTemplate(value, scope).value;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    if (Array.isArray(value)) return value.map((one) => renderEach(one, scope, instead));
    if (value === null || typeof value !== 'object') return instead(error);
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, renderEach(one, scope, instead)]),
    );
  }
}

/** What the command in the hint does, where the text does not say it. */
const LEAD_IN: Partial<Record<Notice['kind'], string>> = {
  task_paused: 'To let it run again: ',
  run_needs_person: 'When you know: ',
};

/** When the next digest is due. */
function nextDigest({ every, at, day, timezone }: NonNullable<NotifyConfig['digest']>, now: number): number {
  const [hour, minute] = at.split(':').map(Number);
  const days = every === 'week' ? day : '*';
  const recurrence = compileRecurrence({
    kind: 'cron',
    expr: `${minute} ${hour} * * ${days}`,
    tzid: timezone,
  });
  return recurrence.next(now) ?? now;
}
