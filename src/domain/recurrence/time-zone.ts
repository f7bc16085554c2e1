import { DAY, dayNumber, FIRST_SECOND, LAST_SECOND } from './civil.js';
import { oneProblem, quote } from './schedule-problem.js';

/** A stretch of time with one offset, in seconds; `end` is exclusive. */
export interface Segment {
  start: number;
  end: number;
  /** Local time minus UTC, seconds. */
  offset: number;
  /** The offset in force just before `start`; equal to `offset` where a segment was only cut for bookkeeping. */
  before: number;
  /** The offset in force from `end` on. */
  after: number;
}

/** A change of a zone's offset. */
export interface Transition {
  /** Epoch seconds of the first second with the new offset. */
  at: number;
  before: number;
  after: number;
}

const BLOCK = 2 ** 21;
// 3 days: the closest two transitions of any zone since 1850 are 3.98 days apart (Freetown, 1939; tzdata 2025c).
const SAMPLE = 2 ** 18;
const MAX_BLOCKS = 4096;
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;

/** The offsets of one zone, read from the runtime's own zone data when they are first needed, and kept. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #blocks = new Map<number, Segment[]>();
  readonly #fixed: Segment | null;
  #lastCut = { index: Number.NaN, at: 0 };

  constructor(readonly name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    const fixed = /^(?:UTC|GMT|Etc\/.*)$/.test(this.#format.resolvedOptions().timeZone);
    const offset = fixed ? this.#readOffset(0) : 0;
    this.#fixed = fixed ? { start: -Infinity, end: Infinity, offset, before: offset, after: offset } : null;
  }

  /** The segment that holds an instant (epoch seconds). */
  segmentAt(second: number): Segment {
    if (this.#fixed) return this.#fixed;
    const index = Math.floor(second / BLOCK);
    let block = this.#block(index);
    if (second < (block[0] as Segment).start) block = this.#block(index - 1);
    else if (second >= (block[block.length - 1] as Segment).end) block = this.#block(index + 1);
    let at = 0;
    while (second >= (block[at] as Segment).end) at += 1;
    return block[at] as Segment;
  }

  /** Local time minus UTC at an instant (epoch seconds), in seconds. */
  offsetAt(second: number): number {
    return this.segmentAt(second).offset;
  }

  /** Every change of offset with `from <= at < to` (epoch seconds), in order. */
  transitions(from: number, to: number): Transition[] {
    const found: Transition[] = [];
    let segment = this.segmentAt(Math.max(from, FIRST_SECOND));
    const stop = Math.min(to, LAST_SECOND);
    if (segment.start === from && segment.before !== segment.offset) {
      found.push({ at: from, before: segment.before, after: segment.offset });
    }
    while (segment.end < stop) {
      if (segment.after !== segment.offset) {
        found.push({ at: segment.end, before: segment.offset, after: segment.after });
      }
      segment = this.segmentAt(segment.end);
    }
    return found;
  }

  #block(index: number): Segment[] {
    return this.#blocks.get(index) ?? this.#readBlock(index);
  }

  #readBlock(index: number): Segment[] {
    if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.clear();
    let start = this.#cut(index);
    const end = this.#cut(index + 1);
    const segments: Segment[] = [];
    let offset = this.#readOffset(start);
    let before = offset;
    for (let at = start; at < end; at += SAMPLE) {
      const next = this.#readOffset(at + SAMPLE);
      if (next === offset) continue;
      const change = this.#bisect(at, at + SAMPLE, offset);
      segments.push({ start, end: change, offset, before, after: next });
      start = change;
      before = offset;
      offset = next;
    }
    segments.push({ start, end, offset, before, after: offset });
    this.#blocks.set(index, segments);
    return segments;
  }

  /**
   * Where the block begins: at its number times its length, or some days later, so that no change of offset is near
   * and what surrounds a change (a gap, both passes of a fold) is never split between two segments.
   */
  #cut(index: number): number {
    // Blocks are mostly read one after the other: the end of one is the beginning of the next.
    if (this.#lastCut.index !== index) this.#lastCut = { index, at: this.#findCut(index) };
    return this.#lastCut.at;
  }

  #findCut(index: number): number {
    const nominal = index * BLOCK;
    for (const shift of [0, 3, 5]) {
      const at = nominal + shift * SAMPLE;
      const offset = this.#readOffset(at);
      if (this.#readOffset(at - SAMPLE) === offset && this.#readOffset(at + SAMPLE) === offset) return at;
    }
    return nominal;
  }

  /** The first second in (low, high] whose offset is not `offset`. */
  #bisect(low: number, high: number, offset: number): number {
    let [from, to] = [low, high];
    while (to - from > 1) {
      const middle = from + Math.floor((to - from) / 2);
      if (this.#readOffset(middle) === offset) from = middle;
      else to = middle;
    }
    return to;
  }

  #readOffset(asked: number): number {
    // Before the year 1 Intl counts years backwards, and no zone had anything but its local mean time.
    const second = Math.max(asked, FIRST_SECOND + 2 * DAY);
    const text = this.#format.format(second * 1000);
    // "MM/DD/YYYY, HH:MM:SS"; the year has as many digits as it needs.
    const comma = text.indexOf(',');
    const day = dayNumber(Number(text.slice(6, comma)), Number(text.slice(0, 2)), Number(text.slice(3, 5)));
    const time =
      Number(text.slice(comma + 2, comma + 4)) * 3600 +
      Number(text.slice(comma + 5, comma + 7)) * 60 +
      Number(text.slice(comma + 8, comma + 10));
    return day * DAY + time - second;
  }
}

const zones = new Map<string, TimeZone>();

/** Whether this is the name of a zone in the IANA database; offsets (`+02:00`), `local` and `system` are not. */
export function isTimeZone(name: unknown): name is string {
  return typeof name === 'string' && lookUp(name) !== null;
}

/**
 * The zone by its IANA name, in any capitals.
 * @throws PaoError PAO_SCHEDULE_INVALID with pointer `/tzid` when there is no such zone.
 */
export function timeZone(name: unknown): TimeZone {
  const zone = typeof name === 'string' ? lookUp(name) : null;
  if (zone) return zone;
  throw oneProblem(
    '/tzid',
    name === undefined || name === ''
      ? 'A time zone is missing.'
      : `There is no time zone ${quote(name)} in the IANA database.`,
    'Write an IANA name such as Europe/Chisinau, America/New_York or UTC; offsets like +02:00 and "local" are not accepted.',
  );
}

/**
 * The name of a zone in the capitals of the IANA database; an alias (Asia/Kolkata) stays the alias it was.
 * @throws PaoError PAO_SCHEDULE_INVALID when there is no such zone.
 */
export function canonicalTimeZone(name: string): string {
  return timeZone(name).name;
}

/** The version of the IANA database of this process, such as `2025c`; `unknown` where the runtime does not say. */
export function timeZoneDatabaseVersion(): string {
  return process.versions.tz ?? 'unknown';
}

function lookUp(name: string): TimeZone | null {
  const known = zones.get(name);
  if (known) return known;
  if (name.length > 64 || !NAME.test(name)) return null;
  const resolved = resolvedName(name);
  if (resolved === null) return null;
  const canonical = resolved.toLowerCase() === name.toLowerCase() ? resolved : name;
  const zone = zones.get(canonical) ?? new TimeZone(canonical);
  zones.set(canonical, zone);
  // There are fewer than 600 names; the bound only stops spellings in odd capitals from piling up.
  if (zones.size < 2000) zones.set(name, zone);
  return zone;
}

/** What the runtime calls a zone; null when it knows none of that name. */
function resolvedName(name: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}
