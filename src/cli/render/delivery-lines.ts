import type { DeliveryObject } from '../../client/api-objects.js';
import type { DeliveryStatus } from '../../domain/delivery.js';
import type { Paint } from '../colour.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { visible } from '../visible.js';
import { machineTime } from './task-time.js';

/** Colours a status: green arrived, yellow waits or needs a look, red failed. */
export function paintDelivery(status: DeliveryStatus, paint: Paint, text: string = status): string {
  if (status === 'delivered') return paint.green(text);
  if (status === 'failed') return paint.red(text);
  return status === 'unknown' || status === 'deferred' || status === 'suppressed' ? paint.yellow(text) : text;
}

/** The columns of a list of messages. @param options.ofRun whose run is known. */
export const deliveryColumns = (out: Output, options: { ofRun?: boolean } = {}): Column<DeliveryObject>[] => [
  { header: options.ofRun === true ? 'MESSAGE' : 'ID', value: ({ id }) => id, keep: true },
  { header: 'CHANNEL', value: ({ channel }) => channel, shrink: true },
  {
    header: 'STATUS',
    value: deliveryText,
    style: (text, { status }) => paintDelivery(status, out.paint, text),
  },
  { header: 'ATTEMPTS', value: ({ attempts }) => attempts, align: 'right' },
  ...(options.ofRun === true
    ? [{ header: 'STEP', value: ({ step }: DeliveryObject) => step }]
    : [{ header: 'RUN', value: ({ run_id: id }: DeliveryObject) => id, drop: true }]),
];

/** A status with why, and until when. */
export function deliveryText({ status, reason, due_at: at }: DeliveryObject): string {
  const why = reason === null ? '' : ` (${visible(reason)})`;
  if (at === null || status !== 'deferred') return `${status}${why}`;
  return `deferred${why} until ${machineTime(at)}`;
}

/** A message in full. */
export function showDelivery(delivery: DeliveryObject, out: Output): void {
  const { paint } = out;
  out.line(
    `${paint.bold(delivery.channel)}  ${paintDelivery(delivery.status, paint, deliveryText(delivery))}`,
  );
  out.line();
  const pairs: [string, string | null][] = [
    ['id', delivery.id],
    ['of run', delivery.run_id],
    ['step', delivery.step],
    ['from', delivery.origin],
    ['urgent', delivery.urgent ? 'yes: it passes quiet times' : null],
    ['attempts', String(delivery.attempts)],
    ['due', delivery.due_at === null ? null : machineTime(delivery.due_at)],
    ['written', machineTime(delivery.created_at)],
    ['finished', delivery.finished_at === null ? null : machineTime(delivery.finished_at)],
    ['sent with', delivery.merged_into],
    ['key', visible(delivery.idempotency_key)],
    ['message', visible(JSON.stringify(delivery.input))],
    ['answer', delivery.answer === null ? null : visible(JSON.stringify(delivery.answer))],
    ['error', delivery.error === null ? null : visible(delivery.error.message)],
  ];
  out.pairs(
    pairs.filter((pair): pair is [string, string] => pair[1] !== null),
    '  ',
  );
  sayWhatNeedsAPerson([delivery], out);
}

/** What to type about messages that did not arrive, or of which nobody knows. */
export function sayWhatNeedsAPerson(deliveries: readonly DeliveryObject[], out: Output): void {
  const unknown = deliveries.find(({ status }) => status === 'unknown');
  if (unknown !== undefined)
    out.hint(
      `It may have arrived. pao delivery resolve ${unknown.id} --as delivered, or pao delivery resend ${unknown.id}`,
    );
  const failed = deliveries.find(({ status }) => status === 'failed');
  if (failed !== undefined) out.hint(`pao delivery resend ${failed.id}`);
}
