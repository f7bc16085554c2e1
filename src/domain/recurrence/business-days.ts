import type { Problem } from '../errors.js';
import { civilDate, DAY, weekday } from './civil.js';
import { holidayCalendar } from './holidays.js';
import { readTime } from './instant-text.js';
import { quote, scheduleInvalid } from './schedule-problem.js';
import type { TimeZone } from './time-zone.js';
import type { InstantSource } from './wall-pattern.js';
import { instantsOfWall } from './wall-time.js';

/** Keeps a rule to the days people work. */
export interface BusinessDaysSpec {
  /** Country of the public holidays: `US`, `RO`, `DE-BY`; `none` for weekends only. */
  calendar: string;
  /** Where an occurrence on another day goes: the next working day, the one before, or nowhere. */
  roll: 'next' | 'previous' | 'skip';
  /** More days on which nobody works, as `2026-12-24`. */
  dates?: readonly string[];
}

// Longer than any run of holidays; a calendar that never works is noticed instead of searched.
const LONGEST_RUN = 60;
// How far ahead a working day is looked for: rules for holidays are not made for longer.
const HORIZON = 60 * 366 * DAY;

/**
 * Puts a rule on working days of a calendar, in the local time of a zone.
 * @throws PaoError PAO_SCHEDULE_INVALID when the calendar or a date is not valid.
 */
export function businessDays(source: InstantSource, zone: TimeZone, spec: BusinessDaysSpec): InstantSource {
  const problems: Problem[] = [];
  const closed = new Set<number>();
  for (const [index, text] of (spec.dates ?? []).entries()) {
    const time = readTime(text);
    if (time?.kind === 'wall' && time.dateOnly) closed.add(time.second / DAY);
    else {
      problems.push({
        pointer: `/business_days/dates/${index}`,
        message: `${quote(text)} is not a date that exists.`,
        hint: 'Write it as 2026-12-24.',
      });
    }
  }
  if (!['next', 'previous', 'skip'].includes(spec.roll)) {
    problems.push({
      pointer: '/business_days/roll',
      message: `${quote(spec.roll)} is not a way to roll.`,
      hint: 'Write next, previous or skip.',
    });
  }
  if (problems.length > 0) throw scheduleInvalid(problems);
  const calendar = holidayCalendar(spec.calendar);
  const works = (day: number): boolean =>
    !closed.has(day) &&
    !calendar.weekend.has(weekday(day)) &&
    !calendar.holidays(civilDate(day).year).has(day);
  return spec.roll === 'skip'
    ? new OnlyWorking(source, zone, works)
    : new Rolled(source, zone, works, spec.roll);
}

type Works = (day: number) => boolean;

class OnlyWorking implements InstantSource {
  constructor(
    readonly source: InstantSource,
    readonly zone: TimeZone,
    readonly works: Works,
  ) {}

  next(after: number): number {
    let from = after;
    for (;;) {
      const found = this.source.next(from);
      if (found > after + HORIZON) return Infinity;
      const day = localDay(this.zone, found);
      if (this.works(day)) return found;
      from = Math.max(found, startOfDay(this.zone, day + 1) - 1);
    }
  }
}

class Rolled implements InstantSource {
  constructor(
    readonly source: InstantSource,
    readonly zone: TimeZone,
    readonly works: Works,
    readonly roll: 'next' | 'previous',
  ) {}

  next(after: number): number {
    const today = localDay(this.zone, after);
    // Everything that can roll past `after` lies in the run of free days around it.
    let from = startOfDay(this.zone, this.#first(this.#target(today))) - 1;
    for (;;) {
      const found = this.source.next(from);
      if (found > after + HORIZON) return Infinity;
      const target = this.#target(localDay(this.zone, found));
      const first = this.#first(target);
      const last = this.#last(target);
      if (first === last) {
        if (found > after) return found;
        from = found;
        continue;
      }
      const best = this.#bestOfRun(found, startOfDay(this.zone, last + 1), target, after);
      if (best !== Infinity) return best;
      from = startOfDay(this.zone, last + 1) - 1;
    }
  }

  #bestOfRun(found: number, end: number, target: number, after: number): number {
    let best = Infinity;
    for (let at = found; at < end; at = this.source.next(at)) {
      const wall = at + this.zone.offsetAt(at);
      const day = Math.floor(wall / DAY);
      const rolled =
        day === target
          ? at
          : (instantsOfWall(this.zone, target * DAY + wall - day * DAY, 'shift', 'first')[0] as number);
      if (rolled > after && rolled < best) best = rolled;
    }
    return best;
  }

  /** The working day an occurrence on this day goes to. */
  #target(day: number): number {
    const step = this.roll === 'next' ? 1 : -1;
    for (let away = 0; away <= LONGEST_RUN; away += 1) {
      if (this.works(day + away * step)) return day + away * step;
    }
    return day;
  }

  /** The first and last day whose occurrences go to this working day. */
  #first(target: number): number {
    return this.roll === 'next' ? this.#edge(target, -1) : target;
  }

  #last(target: number): number {
    return this.roll === 'next' ? target : this.#edge(target, 1);
  }

  #edge(target: number, step: number): number {
    let day = target;
    for (let away = 0; away < LONGEST_RUN && !this.works(day + step); away += 1) day += step;
    return day;
  }
}

function localDay(zone: TimeZone, second: number): number {
  return Math.floor((second + zone.offsetAt(second)) / DAY);
}

function startOfDay(zone: TimeZone, day: number): number {
  return instantsOfWall(zone, day * DAY, 'next', 'first')[0] as number;
}
