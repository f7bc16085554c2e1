import type { Problem } from '../errors.js';
import { CalendarRule } from './calendar-rule.js';
import { DAY } from './civil.js';
import { ElapsedRule } from './elapsed-rule.js';
import type { Anchor } from './instant-text.js';
import { type PropertyTime, readBlock, type RuleBlock } from './rrule-block.js';
import { readRule, type RuleContext, type RuleParts } from './rrule-text.js';
import { Counted, Dates, From, Union, Until, Without } from './rule-set.js';
import { oneProblem, scheduleInvalid } from './schedule-problem.js';
import { type TimeZone, timeZone } from './time-zone.js';
import { type InstantSource, ZonedWalls } from './wall-pattern.js';
import { type FoldPolicy, type GapPolicy, instantsOfWall, resolveWall } from './wall-time.js';

// A gap or fold moves an instant by at most a day from where DTSTART's own would be.
const MARGIN = 2 * DAY;
const MAX_COUNTED = 1_000_000;

/** The gap and fold policy a person chose; what is not chosen has the default of its kind. */
export interface DstPolicy {
  gap?: GapPolicy;
  fold?: FoldPolicy;
}

/** An `rrule` expression made ready to compute with. */
export interface RuleSource {
  source: InstantSource;
  /** The zone DTSTART names itself, else the one that was given. */
  zone: TimeZone;
  anchor: Anchor;
  /** The expression names a start of its own, which differs from the one it was given. */
  ownStart: boolean;
  /** The rules that repeat by days or longer. */
  walls: ZonedWalls[];
}

/**
 * Makes the source of an `rrule` expression.
 * @param given the DTSTART stored beside the expression; one inside the expression wins.
 * @throws PaoError PAO_SCHEDULE_INVALID when it is not valid or never fires.
 */
export function ruleSource(expr: string, tzid: TimeZone, given: Anchor | null, dst: DstPolicy): RuleSource {
  const problems: Problem[] = [];
  const block = readBlock(expr, problems);
  const context = ruleContext(block, given);
  const parsed = block.rules.map((text) => readRule(text, context, problems));
  if (problems.length > 0) throw scheduleInvalid(problems);
  const rules = parsed.filter((rule) => rule !== null);
  const zone = block.start?.tzid === undefined ? tzid : timeZone(block.start.tzid);
  const own = block.start ? anchorOf(block.start, zone) : null;
  const anchor = own ?? given;
  if (!anchor) {
    throw oneProblem(
      '/dtstart',
      'The rule has no start to count from.',
      'Give a dtstart, such as 2026-11-24T08:30:00.',
    );
  }
  const gap = dst.gap ?? 'shift';
  const fold = dst.fold ?? 'first';
  const walls: ZonedWalls[] = [];
  const sources = rules.map((rule) => {
    const source = sourceOfRule(rule, zone, anchor, dst, walls);
    if (source.next(anchor.instant - MARGIN) !== Infinity) return source;
    throw neverFires(rule);
  });
  const instants = (times: PropertyTime[]): number[] =>
    times.flatMap(({ time, tzid: named }) =>
      time.kind === 'instant'
        ? [time.second]
        : instantsOfWall(named === undefined ? zone : timeZone(named), wallOf(time), gap, fold),
    );
  const wallOf = (time: { second: number; dateOnly: boolean }): number =>
    // A date among date-times stands for that day at the time of DTSTART.
    time.dateOnly && !block.allDay ? time.second + (((anchor.wall % DAY) + DAY) % DAY) : time.second;
  if (block.extra.length > 0) sources.push(new Dates(instants(block.extra)));
  let source: InstantSource = sources.length === 1 ? (sources[0] as InstantSource) : new Union(sources);
  if (block.excluded.length > 0) {
    source = new Without(source, new Set(instants(block.excluded)));
    if (source.next(anchor.instant - MARGIN) === Infinity) {
      throw oneProblem('/expr', 'The rule never fires: EXDATE takes away every time it has.');
    }
  }
  return {
    source,
    zone,
    anchor,
    ownStart: own !== null && given !== null && own.instant !== given.instant,
    walls,
  };
}

/** What the rules of a block need to know; `given` is the DTSTART beside it. */
export function ruleContext(block: RuleBlock, given: Anchor | null): RuleContext {
  const own = block.start?.time;
  const isDate = own === undefined ? given?.dateOnly === true : own.kind === 'wall' && own.dateOnly;
  return { pointer: '/expr', allDay: block.allDay, untilDate: isDate };
}

function sourceOfRule(
  rule: RuleParts,
  zone: TimeZone,
  anchor: Anchor,
  dst: DstPolicy,
  walls: ZonedWalls[],
): InstantSource {
  let source: InstantSource;
  if (rule.freq === 'HOURLY' || rule.freq === 'MINUTELY' || rule.freq === 'SECONDLY') {
    // Elapsed time has no gap to fall into, and a fold does not make it stop or double.
    const elapsed = new ElapsedRule(rule, anchor.instant, zone, dst.gap ?? 'skip', dst.fold ?? 'both');
    if (!elapsed.everFires()) throw neverFires(rule);
    if (rule.count !== undefined && elapsed.plain) return new Until(elapsed, elapsed.nth(rule.count - 1));
    source = elapsed;
  } else {
    const calendar = new CalendarRule(rule, anchor.wall);
    const zoned = new ZonedWalls(calendar, zone, dst.gap ?? 'shift', dst.fold ?? 'first');
    walls.push(zoned);
    source = zoned;
    // A start in the second pass of a fold: the first pass of the same local time lies before it, and does not stand for it.
    const start = resolveWall(zone, anchor.wall);
    if (start.kind === 'fold' && start.second === anchor.instant) {
      source = new From(source, anchor.instant);
      if (calendar.nextWall(anchor.wall) === anchor.wall)
        source = new Union([source, new Dates([anchor.instant])]);
    }
  }
  if (rule.count !== undefined) checkCount(rule, rule.count);
  if (rule.count !== undefined) source = new Counted(source, rule.count, anchor.instant - MARGIN);
  if (rule.until !== undefined) source = new Until(source, rule.until);
  if (rule.untilDay !== undefined) {
    const end = instantsOfWall(zone, (rule.untilDay + 1) * DAY - 1, 'shift', 'both');
    source = new Until(source, Math.max(...end));
  }
  return source;
}

/** Counting goes one by one from DTSTART: refuses what could keep a scheduler busy for minutes. */
function checkCount(rule: RuleParts, count: number): void {
  const subDaily = rule.freq === 'HOURLY' || rule.freq === 'MINUTELY' || rule.freq === 'SECONDLY';
  const timesOfDay = (rule.byHour?.length ?? 1) * (rule.byMinute?.length ?? 1) * (rule.bySecond?.length ?? 1);
  if (count <= MAX_COUNTED || (!subDaily && timesOfDay <= 24)) return;
  throw oneProblem(
    '/expr',
    `COUNT=${count} is too many to count one by one; with these BY… parts it may be up to ${MAX_COUNTED}.`,
    'Use UNTIL instead of COUNT.',
  );
}

function anchorOf(start: PropertyTime, zone: TimeZone): Anchor {
  const { time } = start;
  if (time.kind === 'instant')
    return { wall: time.second + zone.offsetAt(time.second), instant: time.second, dateOnly: false };
  const [instant] = instantsOfWall(zone, time.second, 'shift', 'first') as [number];
  return { wall: time.second, instant, dateOnly: time.dateOnly };
}

function neverFires(rule: RuleParts): Error {
  const ended = rule.until !== undefined || rule.untilDay !== undefined;
  return oneProblem(
    '/expr',
    'The rule never fires.',
    ended
      ? 'Its UNTIL lies before its first time, or no day and time satisfies all its parts.'
      : 'No day and time satisfies all its parts, such as 30 February, or an INTERVAL that always misses BYHOUR.',
  );
}
