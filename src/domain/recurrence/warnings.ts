import type { CompiledSource, RecurrenceSpec } from './compile.js';
import { readCron } from './cron-text.js';
import { readTime } from './instant-text.js';
import { readBlock } from './rrule-block.js';
import { CHECKED, readRule, type RuleParts } from './rrule-text.js';
import { resolveWall } from './wall-time.js';
import { formatInZone, isoInstant } from './zone-format.js';

/** Something about a valid schedule that a person might not expect. */
export interface ScheduleWarning {
  /** Stable: see {@link warningsOf}. */
  code: string;
  message: string;
  /** The first instant it concerns, RFC 3339 UTC. */
  at?: string;
}

/** What is known besides the schedule. */
export interface WarningOptions {
  /** How long a run takes, milliseconds: for "runs longer than its interval". */
  runMs?: number;
  /** The zone was not chosen but assumed. */
  assumedZone?: boolean;
}

const YEAR = 366 * 86_400;
const HOUR_LIMIT = 60;

/**
 * Warnings of a compiled schedule, as seen at `now` (epoch milliseconds). Codes: `gap_ahead`, `fold_ahead`,
 * `day_or_weekday`, `no_offset`, `past`, `exhausted`, `often`, `leap_day`, `short_months`, `overlaps`,
 * `elapsed_time`, `own_zone`, `own_start`.
 */
export function warningsOf(
  spec: RecurrenceSpec,
  compiled: CompiledSource,
  now: number,
  options: WarningOptions,
): ScheduleWarning[] {
  const found: ScheduleWarning[] = [];
  const second = Math.floor(now / 1000);
  const { source, zone } = compiled;
  const upcoming: number[] = [];
  for (let at = source.next(second - 1); at !== Infinity && upcoming.length < 200; at = source.next(at)) {
    upcoming.push(at);
  }
  const first = upcoming[0];
  if (first === undefined) {
    found.push(
      spec.kind === 'once'
        ? { code: 'past', message: 'This time is past: it does not fire any more.' }
        : { code: 'exhausted', message: 'The schedule has come to its end: it does not fire any more.' },
    );
  }
  if (spec.kind === 'once') found.push(...onceWarnings(spec, compiled));
  if (spec.kind === 'cron') found.push(...cronWarnings(spec));
  if (spec.kind === 'rrule') found.push(...rruleWarnings(spec, compiled, second));
  if (first === undefined) return found;
  if (spec.kind !== 'once') found.push(...changesAhead(compiled, second));
  const crowded = upcoming[HOUR_LIMIT];
  if (crowded !== undefined && crowded - first < 3600) {
    found.push({ code: 'often', message: `It fires more than ${HOUR_LIMIT} times an hour.` });
  }
  if (
    upcoming.length > 1 &&
    upcoming.slice(0, 12).every((at) => formatInZone(zone.name, at * 1000, 'date').endsWith('-02-29'))
  ) {
    found.push({
      code: 'leap_day',
      message: 'It fires on 29 February only, so in leap years only.',
      at: isoInstant(first * 1000),
    });
  }
  if (options.runMs !== undefined) {
    const gaps = upcoming.slice(1).map((at, index) => (at - (upcoming[index] as number)) * 1000);
    if (gaps.some((gap) => gap < (options.runMs as number))) {
      found.push({
        code: 'overlaps',
        message:
          'A run takes longer than the time to the next one; the overlap policy decides what happens then.',
      });
    }
  }
  return found;
}

function onceWarnings(spec: RecurrenceSpec, { zone }: CompiledSource): ScheduleWarning[] {
  const time = readTime(spec.expr);
  if (time?.kind !== 'wall') return [];
  const found: ScheduleWarning[] = [
    { code: 'no_offset', message: `The time has no offset; it is read as local time of ${zone.name}.` },
  ];
  const place = resolveWall(zone, time.second);
  if (place.kind === 'gap') {
    const used = spec.dst?.gap === 'next' ? place.end : place.shifted;
    found.push({
      code: 'gap_ahead',
      message: `This local time does not exist, the clock jumps over it; it fires at ${formatInZone(zone.name, used * 1000)}.`,
      at: isoInstant(used * 1000),
    });
  }
  if (place.kind === 'fold') {
    const used = spec.dst?.fold === 'second' ? place.second : place.first;
    found.push({
      code: 'fold_ahead',
      message: `This local time comes twice, the clock is put back; it fires the ${used === place.first ? 'first' : 'second'} time.`,
      at: isoInstant(used * 1000),
    });
  }
  return found;
}

function cronWarnings(spec: RecurrenceSpec): ScheduleWarning[] {
  const parts = readCron(spec.expr, []);
  if (!parts) return [];
  const found: ScheduleWarning[] = [];
  if (!parts.anyDay && !parts.anyWeekday && !parts.bothDays && spec.dayMatch !== 'and') {
    found.push({
      code: 'day_or_weekday',
      message:
        'Day of month and day of week are both given: it fires when either matches. For both, use day_match: and.',
    });
  }
  return found;
}

function rruleWarnings(spec: RecurrenceSpec, compiled: CompiledSource, now: number): ScheduleWarning[] {
  const found: ScheduleWarning[] = [];
  const { zone, anchor } = compiled;
  const block = readBlock(spec.expr, []);
  if (block.start?.tzid !== undefined && zone.name !== spec.tzid) {
    found.push({
      code: 'own_zone',
      message: `The rule names the zone ${zone.name} itself; it counts, not ${spec.tzid}.`,
    });
  }
  if (compiled.ownStart && anchor) {
    found.push({
      code: 'own_start',
      message: 'The rule has a DTSTART of its own; it counts, not the one beside it.',
      at: isoInstant(anchor.instant * 1000),
    });
  }
  const rules = block.rules.flatMap((text) => readRule(text, CHECKED, []) ?? []);
  const shortest = rules.flatMap((rule) => rule.byMonthDay ?? []).filter((day) => Math.abs(day) >= 29);
  if (
    shortest.length > 0 &&
    rules.some((rule) => rule.byMonthDay?.every((day) => Math.abs(day) >= 29) && !onlyLeapDay(rule))
  ) {
    found.push({
      code: 'short_months',
      message: 'Months without such a day are left out. For the last day of every month use BYMONTHDAY=-1.',
    });
  }
  const drifts = rules.some((rule) => rule.freq === 'HOURLY' && rule.interval > 1 && !rule.byHour);
  const change = drifts ? zone.transitions(now, now + YEAR)[0] : undefined;
  if (change) {
    found.push({
      code: 'elapsed_time',
      message: `Hours are counted as elapsed time: when the clock changes, its local times move. For fixed local times use FREQ=DAILY with BYHOUR.`,
      at: isoInstant(change.at * 1000),
    });
  }
  return found;
}

function onlyLeapDay(rule: RuleParts): boolean {
  return rule.byMonth?.length === 1 && rule.byMonth[0] === 2;
}

/** The first gap and the first fold within a year that a local time of the schedule falls into. */
function changesAhead(compiled: CompiledSource, now: number): ScheduleWarning[] {
  const found = new Map<string, ScheduleWarning>();
  const { zone, source } = compiled;
  for (const change of zone.transitions(now, now + YEAR)) {
    const [low, high] = [Math.min(change.before, change.after), Math.max(change.before, change.after)];
    for (const { pattern, gap, fold } of compiled.walls) {
      const wall = pattern.nextWall(change.at + low);
      if (wall >= change.at + high) continue;
      const local = formatInZone('UTC', wall * 1000);
      const isGap = change.after > change.before;
      const code = isGap ? 'gap_ahead' : 'fold_ahead';
      let at = gap === 'shift' ? wall - change.before : change.at;
      if (!isGap) at = wall - (fold === 'second' ? change.after : change.before);
      // An UNTIL, an EXDATE or business days may have taken it away.
      const fires = source.next(at - 1) === at;
      if (found.has(code) || (!fires && !(isGap && gap === 'skip'))) continue;
      const what = isGap ? 'does not exist, the clock jumps over it' : 'comes twice, the clock is put back';
      let effect = `it fires ${fold === 'both' ? 'both times' : `the ${fold} time`}`;
      if (isGap) {
        effect =
          gap === 'skip'
            ? 'it does not fire for it'
            : `it fires at ${formatInZone(zone.name, at * 1000, 'time')} instead`;
      }
      found.set(code, {
        code,
        message: `${local} ${what} in ${zone.name}; ${effect}.`,
        at: isoInstant(at * 1000),
      });
    }
  }
  return [...found.values()];
}
