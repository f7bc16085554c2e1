import { formatDuration } from '../../domain/duration.js';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const ISO_LOCAL = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/;

/** A local time of the API (RFC 3339 with an offset) as a person reads it: `Wed 25 Nov 2026 08:30`. */
export function readableLocal(text: string): string {
  const match = ISO_LOCAL.exec(text);
  if (match === null) return text;
  const [, year, month, day, time, second] = match;
  const weekday = DAYS[new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDay()];
  const seconds = second === undefined || second === '00' ? '' : `:${second}`;
  return `${weekday} ${Number(day)} ${MONTHS[Number(month) - 1]} ${year} ${time}${seconds}`;
}

/** The local time of an instant in a task's zone, with the zone; the instant itself where the API gave no local time. */
export function zonedTime(at: string | null, local: string | null | undefined, zone: string | null): string {
  if (at === null) return '-';
  if (!local) return machineTime(at);
  return `${readableLocal(local)} ${zone ?? /(Z|[+-]\d\d:\d\d)$/.exec(local)?.[0] ?? ''}`.trimEnd();
}

/** An instant (RFC 3339) on the clock of this machine, with its offset: `Tue 24 Nov 2026 08:30:05 +02:00`. */
export function machineTime(at: string | null): string {
  if (at === null) return '-';
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const day = `${DAYS[date.getDay()]} ${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()}`;
  return `${day} ${clock} ${offsetText(-date.getTimezoneOffset())}`;
}

/** How far an instant is from now: `in 3h 20m`, `2m ago`; empty when there is no instant. */
export function fromNow(at: string | null, now: number): string {
  const distance = at === null ? Number.NaN : Date.parse(at) - now;
  if (Number.isNaN(distance)) return '';
  if (Math.abs(distance) < 1000) return 'now';
  // Tenths of seconds would be false exactness in a distance that grows while it is read.
  const text = formatDuration(Math.floor(Math.abs(distance) / 1000) * 1000);
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  const hours = String(Math.floor(size / 60)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${hours}:${String(size % 60).padStart(2, '0')}`;
}
