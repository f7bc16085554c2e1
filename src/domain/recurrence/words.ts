import { readCron, type CronParts } from './cron-text.js';
import type { DayMatch } from './cron-rule.js';
import { readBlock } from './rrule-block.js';
import { type ByDay, CHECKED, readRule, type RuleParts } from './rrule-text.js';
import { civilDate, dayNumber, weekday } from './civil.js';
import { readTime } from './instant-text.js';
import type { RecurrenceSpec } from './compile.js';
import { timeZone } from './time-zone.js';
import { instantsOfWall, wallTime } from './wall-time.js';
import { formatInZone, utcTime } from './zone-format.js';

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
const UNITS = {
  SECONDLY: 'second',
  MINUTELY: 'minute',
  HOURLY: 'hour',
  DAILY: 'day',
  WEEKLY: 'week',
  MONTHLY: 'month',
  YEARLY: 'year',
} as const;
/** More times of a day than this are not listed one by one. */
const LISTED_TIMES = 4;

/**
 * What a valid schedule says, in words, without its next time: `every weekday at 08:30 (Europe/Chisinau)`.
 * @param start local seconds of an rrule's DTSTART, which fills in what the rule leaves out.
 */
export function wordsOf(spec: RecurrenceSpec, tzid: string, start: number | null): string {
  let words = scheduleWords(spec, tzid, start);
  const { businessDays } = spec;
  if (businessDays) {
    const where =
      businessDays.calendar.toUpperCase() === 'NONE'
        ? 'weekdays'
        : `working days of ${businessDays.calendar.toUpperCase()}`;
    words +=
      businessDays.roll === 'skip'
        ? `, only on ${where}`
        : `, moved to ${businessDays.roll === 'next' ? 'the next' : 'the previous'} of the ${where}`;
  }
  return `${words} (${tzid})`;
}

function scheduleWords(
  { kind, expr, dst, dayMatch }: RecurrenceSpec,
  tzid: string,
  start: number | null,
): string {
  switch (kind) {
    case 'once':
      return onceWords(expr, tzid, dst?.fold);
    case 'cron':
      return cronWords(expr, dayMatch ?? 'or');
    case 'rrule':
      return blockWords(expr, start ?? 0, tzid);
  }
}

function onceWords(expr: string, tzid: string, fold: string | undefined): string {
  const time = readTime(expr);
  if (!time) return 'once';
  const zone = timeZone(tzid);
  const second =
    time.kind === 'instant'
      ? time.second
      : (instantsOfWall(zone, time.second, 'shift', fold === 'second' ? 'second' : 'first')[0] as number);
  return `once on ${formatInZone(tzid, second * 1000)}`;
}

function cronWords(expr: string, dayMatch: DayMatch): string {
  const parts = readCron(expr, []);
  if (!parts) return expr;
  const days = cronDays(parts, dayMatch);
  const months = bits(parts.months >>> 1, 12);
  const inMonths = months.length === 12 ? '' : ` in ${list(months.map((month) => MONTHS[month] as string))}`;
  const times = timesWords(parts.hours, parts.minutes, parts.seconds);
  if (times.startsWith('at ')) return `${days || 'every day'}${inMonths} ${times}`;
  return `${times}${days === '' ? '' : `, ${days}`}${inMonths}`;
}

function cronDays(parts: CronParts, dayMatch: DayMatch): string {
  const ofMonth: string[] = [];
  const days = bits(parts.days, 31);
  if (days.length > 0) ofMonth.push(ordinalDays(days.map((day) => day + 1)));
  if (parts.lastDay) ofMonth.push('the last day');
  if (parts.lastWeekday) ofMonth.push('the last weekday');
  for (const day of bits(parts.nearestWeekdays, 31))
    ofMonth.push(`the weekday nearest the ${ordinal(day + 1)}`);
  const monthly = parts.anyDay ? '' : `on ${list(ofMonth)} of the month`;
  if (parts.anyWeekday) return monthly;
  const plain: number[] = [];
  const numbered: string[] = [];
  for (const [fromSunday, mask] of parts.weekdays.entries()) {
    const name = WEEKDAYS[(fromSunday + 6) % 7] as string;
    if ((mask & 31) === 31) plain.push((fromSunday + 6) % 7);
    else {
      for (const number of bits(mask, 5)) numbered.push(`the ${ordinal(number + 1)} ${name}`);
      if (mask & 32) numbered.push(`the last ${name}`);
    }
  }
  plain.sort((a, b) => a - b);
  const weekly: string[] = [];
  if (plain.length > 0) weekly.push(weekdayWords(plain));
  if (numbered.length > 0) weekly.push(`${plain.length > 0 ? '' : 'on '}${list(numbered)} of the month`);
  const byWeekday = list(weekly);
  if (monthly === '') return byWeekday;
  const both = parts.bothDays || dayMatch === 'and';
  return both
    ? `${monthly} if it is also ${byWeekday.replace(/^every /, 'a ').replace(/^on /, '')}`
    : `${monthly} and also ${byWeekday}`;
}

function blockWords(expr: string, start: number, tzid: string): string {
  const block = readBlock(expr, []);
  const rules = block.rules.flatMap((text) => readRule(text, CHECKED, []) ?? []);
  const phrases = rules.map((rule) => ruleWords(rule, start, tzid));
  if (block.extra.length > 0)
    phrases.push(`${phrases.length > 0 ? '' : 'on '}${plural(block.extra.length, 'given date')}`);
  const words = phrases.length > 1 ? phrases.join('; and ') : (phrases[0] ?? 'never');
  return block.excluded.length > 0 ? `${words}, except ${plural(block.excluded.length, 'date')}` : words;
}

function ruleWords(rule: RuleParts, start: number, tzid: string): string {
  const local = wallTime(start);
  const subDaily = rule.freq === 'SECONDLY' || rule.freq === 'MINUTELY' || rule.freq === 'HOURLY';
  let words: string;
  if (subDaily) words = elapsedWords(rule, local.minute);
  else {
    const time = timesWords(
      rule.byHour ?? [local.hour],
      rule.byMinute ?? [local.minute],
      rule.bySecond ?? [local.second],
    );
    const days = `${dayWords(rule, local)}${monthsWords(rule)}`;
    words = time.startsWith('at ') ? `${days} ${time}` : `${days}, ${time}`;
  }
  if (rule.bySetPos && !namedSet(rule))
    words += `, of these only ${list(rule.bySetPos.map(position))} of each ${UNITS[rule.freq]}`;
  if (rule.count !== undefined) words += rule.count === 1 ? ', once' : `, ${rule.count} times`;
  if (rule.until !== undefined) {
    words += `, until ${formatInZone(tzid, rule.until * 1000)} (${utcTime(rule.until * 1000)})`;
  }
  if (rule.untilDay !== undefined) words += `, until the end of ${dateWords(rule.untilDay)}`;
  return words;
}

function elapsedWords(rule: RuleParts, minute: number): string {
  let words =
    rule.interval === 1 ? `every ${UNITS[rule.freq]}` : `every ${rule.interval} ${UNITS[rule.freq]}s`;
  const plainHour = rule.freq === 'HOURLY' && !rule.byMinute;
  if (plainHour) words += ` at minute ${minute}`;
  if (rule.byMinute)
    words += ` at ${rule.byMinute.length === 1 ? 'minute' : 'minutes'} ${list(rule.byMinute.map(String))}`;
  if (rule.bySecond)
    words += ` at ${rule.bySecond.length === 1 ? 'second' : 'seconds'} ${list(rule.bySecond.map(String))}`;
  if (rule.byHour) words += ` ${hoursWords(rule.byHour)}`;
  const days: string[] = [];
  if (rule.byDay) days.push(weekdayWords([...new Set(rule.byDay.map((day) => day.weekday))]));
  if (rule.byMonthDay) days.push(`on ${monthDayWords(rule.byMonthDay)} of the month`);
  if (rule.byYearDay) days.push(`on ${yearDayWords(rule.byYearDay)}`);
  return `${words}${days.map((phrase) => `, ${phrase}`).join('')}${monthsWords(rule)}`;
}

function dayWords(rule: RuleParts, local: { month: number; day: number; year: number }): string {
  const every = rule.interval === 1 ? '' : `every ${rule.interval} ${UNITS[rule.freq]}s`;
  const unit = rule.interval === 1 ? `every ${UNITS[rule.freq]}` : every;
  const plain = rule.byDay?.every((day) => day.ordinal === 0) ? rule.byDay.map((day) => day.weekday) : null;
  const phrases: string[] = [];
  switch (rule.freq) {
    case 'DAILY':
    case 'WEEKLY': {
      const own = [weekday(dayNumber(local.year, local.month, local.day))];
      const weekdays = plain ?? (rule.freq === 'WEEKLY' ? own : null);
      if (weekdays && weekdays.length < 7) phrases.push(weekdayWords(weekdays, every));
      else phrases.push(every || 'every day');
      if (rule.byMonthDay) phrases.push(`on ${monthDayWords(rule.byMonthDay)} of the month`);
      return phrases.join(' ');
    }
    case 'MONTHLY': {
      const set = namedSet(rule);
      const chosen = [
        ...(set ? [set] : []),
        ...(rule.byMonthDay ? [monthDayWords(rule.byMonthDay)] : []),
        ...(rule.byDay && !set ? [byDayWords(rule.byDay)] : []),
      ];
      const days = chosen.length > 0 ? chosen.join(' if it is also ') : `the ${ordinal(local.day)}`;
      return `on ${days} of ${unit}`;
    }
    default: {
      const set = namedSet(rule);
      if (set)
        return `on ${set} of ${rule.byMonth ? list(rule.byMonth.map((month) => MONTHS[month - 1] as string)) : 'the year'} ${unit}`;
      if (rule.byYearDay) phrases.push(yearDayWords(rule.byYearDay));
      if (rule.byWeekNo && plain) {
        const names = isWorkWeek(plain) ? 'the weekdays' : list(plain.map((day) => WEEKDAYS[day] as string));
        return `${unit} on ${names} of week ${list(rule.byWeekNo.map(String))}`;
      }
      if (rule.byWeekNo) phrases.push(`week ${list(rule.byWeekNo.map(String))}`);
      if (rule.byDay) phrases.push(byDayWords(rule.byDay));
      if (rule.byMonthDay)
        phrases.push(`${monthDayWords(rule.byMonthDay)}${rule.byMonth ? '' : ' of every month'}`);
      if (phrases.length === 0) {
        return rule.byMonth
          ? `${unit} on the ${ordinal(local.day)}`
          : `${unit} on ${local.day} ${MONTHS[local.month - 1]}`;
      }
      return `${unit} on ${phrases.join(' if it is also ')}`;
    }
  }
}

/** BYSETPOS over weekdays, as people say it: "the last weekday", "the 2nd Monday or Tuesday". */
function namedSet(rule: RuleParts): string | null {
  const [only, more] = rule.bySetPos ?? [];
  if (only === undefined || more !== undefined || (rule.freq !== 'MONTHLY' && rule.freq !== 'YEARLY'))
    return null;
  if (!rule.byDay?.every((day) => day.ordinal === 0) || rule.byMonthDay || rule.byYearDay || rule.byWeekNo)
    return null;
  if ((rule.byHour?.length ?? 1) * (rule.byMinute?.length ?? 1) * (rule.bySecond?.length ?? 1) > 1)
    return null;
  const weekdays = rule.byDay.map((day) => day.weekday);
  const name =
    weekdays.length === 7
      ? 'day'
      : isWorkWeek(weekdays)
        ? 'weekday'
        : weekdays.map((day) => WEEKDAYS[day]).join(' or ');
  return `${position(only)} ${name}`;
}

function monthsWords(rule: RuleParts): string {
  if (!rule.byMonth || (rule.freq === 'YEARLY' && namedSet(rule))) return '';
  return ` in ${list(rule.byMonth.map((month) => MONTHS[month - 1] as string))}`;
}

function timesWords(
  hours: readonly number[],
  minutes: readonly number[],
  seconds: readonly number[],
): string {
  if (hours.length * minutes.length * seconds.length <= LISTED_TIMES) {
    const times = hours.flatMap((hour) =>
      minutes.flatMap((minute) =>
        seconds.map((second) => `${two(hour)}:${two(minute)}${second === 0 ? '' : `:${two(second)}`}`),
      ),
    );
    return `at ${list(times.sort())}`;
  }
  const allHours = hours.length === 24;
  const second = seconds.length === 1 && seconds[0] === 0 ? '' : stepWords(seconds, 60, 'second');
  let minute = stepWords(minutes, 60, 'minute');
  if (minutes.length === 1 && allHours && second === '') {
    return minutes[0] === 0 ? 'every hour' : `every hour at minute ${minutes[0]}`;
  }
  if (second !== '' && minute === 'every minute') minute = '';
  const within = [second, minute].filter((phrase) => phrase !== '').join(' of ');
  return allHours ? within : `${within} ${hoursWords(hours)}`;
}

function stepWords(values: readonly number[], size: number, unit: string): string {
  if (values.length === size) return `every ${unit}`;
  const step = values.length > 1 ? (values[1] as number) - (values[0] as number) : 0;
  const even =
    values[0] === 0 &&
    size % step === 0 &&
    values.length === size / step &&
    values.every((value, at) => value === at * step);
  if (step > 1 && even) return `every ${step} ${unit}s`;
  return `at ${values.length === 1 ? unit : `${unit}s`} ${list(runs(values))}`;
}

function hoursWords(hours: readonly number[]): string {
  const first = hours[0] as number;
  const last = hours.at(-1) as number;
  if (hours.length > 1 && last - first === hours.length - 1)
    return `from ${two(first)}:00 to ${two(last)}:59`;
  return `in the ${hours.length === 1 ? 'hour' : 'hours'} ${list(hours.map((hour) => `${two(hour)}:00`))}`;
}

/** "every weekday", "every Monday and Friday", "every 2 weeks on Monday". */
function weekdayWords(weekdays: readonly number[], every = ''): string {
  const names = isWorkWeek(weekdays)
    ? 'weekday'
    : weekdays.length === 2 && weekdays.includes(5) && weekdays.includes(6)
      ? 'Saturday and Sunday'
      : list([...weekdays].sort((a, b) => a - b).map((day) => WEEKDAYS[day] as string));
  return every === '' ? `every ${names}` : `${every} on ${names === 'weekday' ? 'weekdays' : names}`;
}

function isWorkWeek(weekdays: readonly number[]): boolean {
  return weekdays.length === 5 && weekdays.every((day) => day < 5);
}

function byDayWords(days: readonly ByDay[]): string {
  const plain = days.filter((day) => day.ordinal === 0).map((day) => day.weekday);
  const numbered = days
    .filter((day) => day.ordinal !== 0)
    .map((day) => `${position(day.ordinal)} ${WEEKDAYS[day.weekday]}`);
  return list([...(plain.length > 0 ? [weekdayWords(plain)] : []), ...numbered]);
}

function monthDayWords(days: readonly number[]): string {
  const positive = days.filter((day) => day > 0);
  const negative = days
    .filter((day) => day < 0)
    .map((day) => (day === -1 ? 'the last day' : `the ${ordinal(-day)} to last day`));
  return list([...(positive.length > 0 ? [ordinalDays(positive)] : []), ...negative]);
}

function yearDayWords(days: readonly number[]): string {
  return list(
    days.map((day) =>
      day > 0
        ? `day ${day} of the year`
        : `${day === -1 ? 'the last' : `the ${ordinal(-day)} to last`} day of the year`,
    ),
  );
}

function position(number: number): string {
  if (number > 0) return `the ${ordinal(number)}`;
  return number === -1 ? 'the last' : `the ${ordinal(-number)} to last`;
}

function ordinalDays(days: readonly number[]): string {
  return `the ${list(days.map(ordinal))}`;
}

function ordinal(number: number): string {
  const tens = number % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${suffix}`;
}

/** 1, 2, 3, 7 as "1-3", "7". */
function runs(values: readonly number[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < values.length; ) {
    let end = at;
    while (values[end + 1] === (values[end] as number) + 1) end += 1;
    if (end - at >= 2) found.push(`${values[at]}-${values[end]}`);
    else for (let each = at; each <= end; each += 1) found.push(String(values[each]));
    at = end + 1;
  }
  return found;
}

function list(items: readonly string[]): string {
  if (items.length <= 1) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function bits(mask: number, size: number): number[] {
  return Array.from({ length: size }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function dateWords(days: number): string {
  const { year, month, day } = civilDate(days);
  return `${day} ${MONTHS[month - 1]} ${year}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
