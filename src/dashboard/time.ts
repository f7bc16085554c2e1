import { formatDuration } from '../domain/duration.js';
import { h } from './dom.js';

/** IANA zone of the person who looks. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const DAY_MS = 86_400_000;
const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayOf = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const whole = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
});

/** How far the server's clock is from this one's, milliseconds: what is near and far is told by the server's. */
let ahead = 0;

/** Takes over the server's time from the `Date` of an answer, which is exact to a second. */
export function learnTime(at: string): void {
  const difference = Date.parse(at) - Date.now();
  ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

/** What time it is for the server, epoch milliseconds. */
export const now = (): number => Date.now() + ahead;

/** `14:30`, in the zone of the person. */
export const clockTime = (at: string): string => timeOfDay.format(new Date(at));

/** `Today`, `Tomorrow`, `Fri 27 Nov`, with the year where it is another one. */
export function dayName(at: string | number): string {
  const date = new Date(at);
  const days = Math.round((midnight(date) - midnight(new Date(now()))) / DAY_MS);
  if (days === 0) return 'Today';
  if (days === 1) return 'Tomorrow';
  if (days === -1) return 'Yesterday';
  return date.getFullYear() === new Date(now()).getFullYear() ? dayOf.format(date) : dayOfYear.format(date);
}

/** `Thu 26 Nov`. */
export const dateOf = (at: string): string => dayOf.format(new Date(at));

/** `08:30 in Europe/Chisinau`: the time in the zone of a task, where the clock there shows another one than here. */
export function elsewhere(at: string, timezone: string | null): string | null {
  if (timezone === null || timezone === ZONE) return null;
  const there = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: timezone });
  const time = there.format(new Date(at));
  return time === clockTime(at) ? null : `${time} in ${timezone}`;
}

/** Days are counted from noon to noon: one with a change of the clock has 23 or 25 hours. */
const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate(), 12).getTime();

/** `Today 14:30`. */
export const moment = (at: string): string => `${dayName(at)} ${clockTime(at)}`;

/** As {@link moment}, in the middle of a sentence: `today 14:30`. */
export const inText = (at: string): string => moment(at).replace(/^(To|Ye)/, (start) => start.toLowerCase());

/** `Thu 26 Nov 14:30 (Europe/Berlin)`: for what somebody must not get wrong. */
export const momentWithZone = (at: string): string => `${inText(at)} (${ZONE})`;

/** `in 3h 5m`, `12m ago`, `now`. */
export function fromNow(at: string): string {
  const difference = Date.parse(at) - now();
  const size = Math.abs(difference);
  if (size < 10_000) return 'now';
  const coarse = size < 60_000 ? Math.round(size / 1000) * 1000 : Math.round(size / 60_000) * 60_000;
  return difference > 0 ? `in ${formatDuration(coarse)}` : `${formatDuration(coarse)} ago`;
}

const FORMS = { moment, inText, fromNow, clockTime };

/** An instant, kept up to date while it is shown; its title has all of it. */
export function timeOf(at: string | null, form: keyof typeof FORMS = 'moment'): Node {
  if (at === null) return document.createTextNode('–');
  return h('time', { datetime: at, title: whole.format(new Date(at)), 'data-form': form }, FORMS[form](at));
}

/** Says anew what has become later meanwhile. */
export function tickTimes(): void {
  for (const element of document.querySelectorAll<HTMLTimeElement>('time[data-form]')) {
    const text = FORMS[element.dataset['form'] as keyof typeof FORMS](element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}
