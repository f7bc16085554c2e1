import { createRequire } from 'node:module';
import { DAY } from './civil.js';
import { readTime } from './instant-text.js';
import { oneProblem, quote } from './schedule-problem.js';

/** Says which days of a year nobody works, for reasons other than the weekend. */
export interface HolidayCalendar {
  /** Day numbers (days since 1970-01-01) of the public holidays of a year. */
  holidays(year: number): ReadonlySet<number>;
  /** Weekdays nobody works, 0 is Monday. */
  weekend: ReadonlySet<number>;
}

/** The part of `date-holidays` that is used here. */
interface HolidayRules {
  getHolidays(year: number): { date: string; start: Date; end: Date; type: string }[] | false;
  getCountries(): Record<string, string>;
  getStates(country: string): Record<string, string> | undefined;
}
type HolidayRulesClass = new (country?: string, state?: string) => HolidayRules;

const POINTER = '/business_days/calendar';
const calendars = new Map<string, HolidayCalendar>();
let library: HolidayRulesClass | null = null;

/**
 * The calendar of a country (`US`, `RO`) or one of its parts (`DE-BY`, `US-CA`), by its public holidays;
 * `none` knows weekends only. The holiday data is large and is loaded when the first calendar is asked for.
 * @throws PaoError PAO_SCHEDULE_INVALID when there is no such calendar.
 */
export function holidayCalendar(name: string): HolidayCalendar {
  const key = name.toUpperCase();
  const known = calendars.get(key);
  if (known) return known;
  const calendar =
    key === 'NONE' ? { holidays: () => new Set<number>(), weekend: new Set([5, 6]) } : load(key, name);
  calendars.set(key, calendar);
  return calendar;
}

function load(key: string, name: string): HolidayCalendar {
  // By require, because compiling a schedule is synchronous and this data must not cost start-up time.
  library ??= createRequire(import.meta.url)('date-holidays') as HolidayRulesClass;
  const index = new library();
  const [country = '', state] = key.split('-', 2) as [string, string | undefined];
  const states = state === undefined ? undefined : (index.getStates(country) ?? {});
  if (!Object.hasOwn(index.getCountries(), country) || (states && !Object.hasOwn(states, state as string))) {
    throw oneProblem(
      POINTER,
      `There is no holiday calendar ${quote(name)}.`,
      'Write a country such as US or RO, one of its parts such as DE-BY, or none for weekends only.',
    );
  }
  const rules = new library(country, state);
  const years = new Map<number, ReadonlySet<number>>();
  return {
    weekend: weekendOf(country),
    holidays: (year) => {
      let days = years.get(year);
      if (!days) {
        days = new Set(
          (rules.getHolidays(year) || []).filter(({ type }) => type === 'public').flatMap(daysOf),
        );
        if (years.size > 200) years.clear();
        years.set(year, days);
      }
      return days;
    },
  };
}

/** The days whose noon lies in a holiday: some begin at sunset, some last several days. */
function daysOf(holiday: { date: string; start: Date; end: Date }): number[] {
  const begin = readTime(holiday.date.slice(0, 19));
  if (!begin) return [];
  const end = begin.second + (holiday.end.getTime() - holiday.start.getTime()) / 1000;
  const days: number[] = [];
  for (let day = Math.floor(begin.second / DAY); day * DAY < end; day += 1) {
    const noon = day * DAY + DAY / 2;
    if (noon >= begin.second && noon < end) days.push(day);
  }
  return days;
}

/** Saturday and Sunday, or what Unicode's regional data says (Friday and Saturday in Egypt). */
function weekendOf(country: string): ReadonlySet<number> {
  const locale = new Intl.Locale(`und-${country}`) as Intl.Locale & {
    weekInfo?: { weekend: number[] };
    getWeekInfo?(): { weekend: number[] };
  };
  const info = locale.getWeekInfo?.() ?? locale.weekInfo;
  return new Set((info?.weekend ?? [6, 7]).map((day) => day - 1));
}
