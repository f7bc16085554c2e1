import type { DeliveryObject, RunObject, TaskObject } from '../client/api-objects.js';
import { formatDuration } from '../domain/duration.js';
import { REASON_WORDS } from '../domain/reason-words.js';

/** How something is, as a colour; the word stands beside it. */
export type Tone = 'good' | 'bad' | 'look' | 'busy' | 'calm';

const TONES: Record<string, Tone> = {
  succeeded: 'good',
  delivered: 'good',
  approved: 'good',
  active: 'good',
  healthy: 'good',
  pass: 'good',
  failed: 'bad',
  dead: 'bad',
  fail: 'bad',
  unhealthy: 'bad',
  partial: 'look',
  missed: 'look',
  unknown: 'look',
  waiting: 'look',
  pending: 'look',
  expired: 'look',
  degraded: 'look',
  warn: 'look',
  paused: 'look',
  deferred: 'look',
  running: 'busy',
  sending: 'busy',
};

export const toneOf = (status: string): Tone => TONES[status] ?? 'calm';

/** Why a run ended as it did, as a sentence; empty when there is nothing to say. */
export function reasonWords({ reason, status }: Pick<RunObject, 'reason' | 'status'>): string {
  if (reason === null) return '';
  const words = REASON_WORDS[reason];
  if (words !== undefined) return words;
  if (reason === 'denied') return 'a person said no';
  if (reason === 'tool_error') return 'a tool failed';
  if (reason === 'timeout') return 'it took longer than it may';
  if (reason === 'invalid_output') return 'a tool gave an answer of another form than it promises';
  if (reason === 'forbidden') return 'its agent may not do that';
  if (reason === 'unknown_outcome') return 'whether a call did its work is not known';
  if (reason === 'approval') return 'it waits for a person';
  return status === 'waiting' ? `it waits (${reason.replaceAll('_', ' ')})` : reason.replaceAll('_', ' ');
}

/** The schedule of a task in words, without the next time, which is shown as one. */
export const scheduleOf = ({ words }: Pick<TaskObject, 'words'>): string =>
  words.split('; next ')[0] as string;

/** How a run came to be. */
export const TRIGGER_WORDS: Record<RunObject['trigger'], string> = {
  schedule: 'by its schedule',
  manual: 'by hand',
  event: 'by an event',
  condition: 'by its condition',
  catchup: 'caught up',
  replay: 'replayed',
};

/** `on time`, `12s late`. */
export function latenessWords(ms: number | null): string {
  if (ms === null) return '';
  return ms < 1000 ? 'on time' : `${formatDuration(ms)} late`;
}

/** What became of a message. */
export function deliveryWords({ status, reason, attempts }: DeliveryObject): string {
  const why = reason === null ? '' : ` (${reason.replaceAll('_', ' ')})`;
  const times = attempts > 1 ? `, ${attempts} attempts` : '';
  return `${status}${why}${times}`;
}

/** `2 tasks`, `1 task`. */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;
