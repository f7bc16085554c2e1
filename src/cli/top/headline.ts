import { formatDuration } from '../../domain/duration.js';
import type { Paint } from '../colour.js';
import { visible } from '../visible.js';
import type { TopSnapshot } from './snapshot.js';
import type { Lost } from './state.js';

/** What it is, how it is, and where: `pao 0.1.0 is healthy at http://127.0.0.1:8080, up 3h 12m`. */
export function healthLine({ health, url }: TopSnapshot, paint: Paint, lost: Lost | null = null): string {
  if (lost !== null) {
    const how = paint.bold(paint.red(lost.isAway ? 'does not answer' : 'does not serve this'));
    return `${paint.bold('pao')} ${visible(health.version)} ${how} at ${visible(url)}`;
  }
  const word = { healthy: paint.green, degraded: paint.yellow, unhealthy: paint.red }[health.status];
  const up = formatDuration(health.uptime_seconds * 1000);
  return `${paint.bold('pao')} ${visible(health.version)} is ${paint.bold(word(health.status))} at ${visible(url)}, up ${up}`;
}

/** The numbers, the ones that ask for a person in colour: `0 due · 2 running · 1 waiting · 1 failed in 1h · …`. */
export function numbersLine(
  { queue, rates, workers, messages }: TopSnapshot,
  paint: Paint,
  dot: string,
): string {
  const busy = workers.reduce((sum, { slots_busy }) => sum + slots_busy, 0);
  const total = workers.reduce((sum, { slots_total }) => sum + slots_total, 0);
  const failed = rates.failed_last_hour;
  const stuck = messages.filter(({ status }) => status === 'failed' || status === 'unknown').length;
  const late =
    queue.lag_seconds !== null && queue.lag_seconds >= 1
      ? ` (oldest ${formatDuration(queue.lag_seconds * 1000)})`
      : '';
  const parts: (string | null)[] = [
    queue.due === null ? null : `${queue.due} due${late}`,
    queue.running === null ? null : `${queue.running} running`,
    queue.waiting === null ? null : `${queue.waiting} waiting`,
    failed === null
      ? null
      : mark(failed > 0, paint.red, `${failed}${rates.failed_last_hour_truncated ? '+' : ''} failed in 1h`),
    rates.runs_per_minute === null ? null : `${rates.runs_per_minute} runs/min`,
    total === 0 ? null : `${busy}/${total} slots`,
    queue.dead === null || queue.dead === 0 ? null : paint.yellow(`${queue.dead} given up`),
    stuck === 0 ? null : paint.yellow(`${stuck} messages stuck`),
  ];
  return parts.filter((part) => part !== null).join(` ${paint.dim(dot)} `);
}

const mark = (isSo: boolean, paint: (text: string) => string, text: string) => (isSo ? paint(text) : text);
