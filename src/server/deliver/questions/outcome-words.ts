import { type Approval, TIMED_OUT_WORDS } from '../../../domain/approval.js';
import { formatInZone } from '../../../domain/recurrence/index.js';

/** Whether nobody can answer any more. */
export const isClosed = ({ state, expiresAt }: Approval, now: number): boolean =>
  state !== 'pending' || expiresAt <= now;

/**
 * How a question ended, in words for the message that asked it.
 * @param who the name of who decided. @param zone IANA zone of the task.
 */
export function outcomeWords(approval: Approval, who: string, zone: string): string {
  const { state, decidedAt, expiresAt, onTimeout, comment } = approval;
  const said = comment === null ? '' : `\n${comment}`;
  if (state === 'approved') return `✅ Approved by ${who}, ${at(decidedAt ?? expiresAt, zone)}${said}`;
  if (state === 'denied') return `❌ Denied by ${who}, ${at(decidedAt ?? expiresAt, zone)}${said}`;
  if (state === 'canceled')
    return `Not needed any more, ${at(decidedAt ?? expiresAt, zone)}: the run has ended.`;
  return `⌛ Expired ${at(expiresAt, zone)}: nobody answered, so nothing was decided. ${TIMED_OUT_WORDS[onTimeout]}`;
}

/** The same in one short line, for who taps too late. */
export function closedWords(approval: Approval, who: string, zone: string): string {
  const { state, decidedAt, expiresAt } = approval;
  if (state === 'approved') return `This was approved by ${who}, ${at(decidedAt ?? expiresAt, zone)}.`;
  if (state === 'denied') return `This was denied by ${who}, ${at(decidedAt ?? expiresAt, zone)}.`;
  if (state === 'canceled') return 'This is not needed any more: the run has ended.';
  return `Too late: this expired ${at(expiresAt, zone)}. Nothing was decided.`;
}

/** Whole minutes, with the zone. */
const at = (instant: number, zone: string): string =>
  `${formatInZone(zone, instant - (instant % 60_000))} (${zone})`;
