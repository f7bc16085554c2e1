import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  canonicalTimeZone,
  compileRecurrence,
  formatInZone,
  isTimeZone,
  localParts,
  nextOccurrences,
  type RecurrenceSpec,
  timeZoneDatabaseVersion,
  wallToInstant,
} from '../../../src/domain/recurrence/index.js';
import { timeZone, type Transition } from '../../../src/domain/recurrence/time-zone.js';
import { localOf, transitionsOf } from './zone-oracle.js';

const FROM = Date.UTC(1990, 0, 1) / 1000;
const TO = Date.UTC(2041, 0, 1) / 1000;
const HOUR = 3600;
const DAY = 86_400;
const ALL = Intl.supportedValuesOf('timeZone');
/** Every change of every zone, once for all zones that have the same one. */
const changes = new Map<string, Transition & { tzid: string }>();
for (const tzid of ALL) {
  for (const change of timeZone(tzid).transitions(FROM, TO)) {
    changes.set(`${change.at}/${change.before}/${change.after}`, { ...change, tzid });
  }
}

const between = (spec: RecurrenceSpec, from: number, to: number): number[] => {
  const rule = compileRecurrence(spec);
  const found: number[] = [];
  for (let at = rule.next((from - 1) * 1000); at !== null && at < to * 1000; at = rule.next(at))
    found.push(at / 1000);
  return found;
};
const clock = (wall: number): string => {
  const time = ((wall % DAY) + DAY) % DAY;
  return `${Math.trunc((time % HOUR) / 60)} ${Math.trunc(time / HOUR)}`;
};
const dateTime = (wall: number): string => new Date(wall * 1000).toISOString().slice(0, 19);

describe('every change of every zone, 1990 to 2040', () => {
  it('there are some thousands, and they are where Intl has them', () => {
    expect(ALL.length).toBeGreaterThan(400);
    expect(changes.size).toBeGreaterThan(2000);
    for (const { tzid, at, before, after } of changes.values()) {
      expect([
        tzid,
        localOf(tzid, at * 1000 - 1000) / 1000 - at + 1,
        localOf(tzid, at * 1000) / 1000 - at,
      ]).toEqual([tzid, before, after]);
    }
  });

  it.each([
    'America/New_York',
    'Africa/Casablanca',
    'Asia/Gaza',
    'Pacific/Apia',
    'America/St_Johns',
    'Antarctica/Troll',
  ])('none is missed in %s', (tzid) => {
    const [from, to] = [Date.UTC(1998, 0, 1), Date.UTC(2013, 0, 1)];
    const found = timeZone(tzid).transitions(from / 1000, to / 1000);
    expect(found).toEqual(
      transitionsOf(tzid, from, to).map(({ at, before, after }) => ({
        at: at / 1000,
        before: before / 1000,
        after: after / 1000,
      })),
    );
  });

  it('quarter hours by cron and by rrule neither double nor skip', () => {
    for (const { tzid, at, before, after } of changes.values()) {
      const [from, to] = [at - 3 * HOUR, at + 3 * HOUR];
      const rrule = between(
        { kind: 'rrule', expr: 'FREQ=MINUTELY;INTERVAL=15', tzid, dtstart: '1989-12-01T00:00:00Z' },
        from,
        to,
      );
      const steps = Array.from({ length: 24 }, (_, index) => Math.ceil(from / 900) * 900 + index * 900);
      expect([tzid, at, ...rrule]).toEqual([tzid, at, ...steps.filter((step) => step < to)]);
      // Where the clock moves by whole quarters, its quarters are those of UTC.
      if (before % 900 !== 0 || after % 900 !== 0) continue;
      expect([tzid, at, ...between({ kind: 'cron', expr: '*/15 * * * *', tzid }, from, to)]).toEqual([
        tzid,
        at,
        ...rrule,
      ]);
    }
  });

  it('a time in a gap is shifted, moved to its end, or skipped, as the policy says', () => {
    for (const { tzid, at, before, after } of changes.values()) {
      const gap = after - before;
      if (gap <= 0 || gap >= DAY) continue;
      const wall = at + before + Math.floor(gap / 120) * 60;
      const dtstart = dateTime(wall - 20 * DAY);
      for (const [policy, expected] of [
        ['shift', wall - before],
        ['next', at],
        ['skip', null],
      ] as const) {
        const dst = { gap: policy };
        for (const spec of [
          { kind: 'rrule', expr: 'FREQ=DAILY', tzid, dtstart, dst },
          { kind: 'cron', expr: `${clock(wall)} * * *`, tzid, dst },
        ] as const) {
          const found = between(spec, at - HOUR, at + Math.max(gap, HOUR) + 60);
          expect([tzid, at, policy, ...found]).toEqual([
            tzid,
            at,
            policy,
            ...(expected === null ? [] : [expected]),
          ]);
        }
      }
    }
  });

  it('a time in a fold comes first, second or both times, as the policy says', () => {
    for (const { tzid, at, before, after } of changes.values()) {
      const fold = before - after;
      if (fold <= 0 || fold >= DAY) continue;
      const wall = at + after + Math.floor(fold / 120) * 60;
      const dtstart = dateTime(wall - 20 * DAY);
      const [first, second] = [wall - before, wall - after];
      for (const [policy, expected] of [
        ['first', [first]],
        ['second', [second]],
        ['both', [first, second]],
      ] as const) {
        const dst = { fold: policy };
        for (const spec of [
          { kind: 'rrule', expr: 'FREQ=DAILY', tzid, dtstart, dst },
          { kind: 'cron', expr: `${clock(wall)} * * *`, tzid, dst },
        ] as const) {
          expect([tzid, at, policy, ...between(spec, first - HOUR, second + HOUR)]).toEqual([
            tzid,
            at,
            policy,
            ...expected,
          ]);
        }
      }
    }
  });

  it('days across a change are strictly increasing, and next(x) after each is the one that follows', () => {
    for (const { tzid, at, before } of [...changes.values()].filter((_, index) => index % 5 === 0)) {
      for (const minutes of [-60, 0, 30, 90]) {
        const rule = compileRecurrence({
          kind: 'rrule',
          expr: 'FREQ=DAILY',
          tzid,
          dtstart: dateTime(at + before + minutes * 60 - 9 * DAY),
        });
        const taken = rule.take((at - 5 * DAY) * 1000, 9);
        for (let index = 1; index < taken.length; index += 1) {
          const [previous, current] = [taken[index - 1] as number, taken[index] as number];
          expect(current).toBeGreaterThan(previous);
          expect(rule.next(previous)).toBe(current);
          expect(rule.next(current - 1)).toBe(current);
          expect(rule.previousOrAt(current)).toBe(current);
        }
      }
    }
  });

  it('has the day Samoa left out only once, on the next day', () => {
    const found = nextOccurrences({
      kind: 'rrule',
      expr: 'FREQ=DAILY',
      tzid: 'Pacific/Apia',
      dtstart: '2011-12-01T09:00:00',
      after: '2011-12-29T00:00:00Z',
      count: 3,
    });
    expect(found).toEqual(['2011-12-29T19:00:00Z', '2011-12-30T19:00:00Z', '2011-12-31T19:00:00Z']);
  });
});

describe('zones', () => {
  it.each([
    'local',
    'system',
    '+02:00',
    '-0500',
    'UTC+2',
    '',
    ' UTC',
    'Europe/Nowhere',
    '../etc/passwd',
    'x'.repeat(5000),
    '__proto__',
    'Europe/Berlin\n',
  ])('refuses %j', (tzid) => {
    expect(isTimeZone(tzid)).toBe(false);
    expect(() => localParts(tzid, 0)).toThrowError(
      expect.objectContaining({ code: 'PAO_SCHEDULE_INVALID', exitCode: 2, status: 422 }),
    );
  });

  it('keeps aliases and mends capitals', () => {
    expect(canonicalTimeZone('europe/berlin')).toBe('Europe/Berlin');
    expect(canonicalTimeZone('Asia/Kolkata')).toBe('Asia/Kolkata');
    expect(timeZoneDatabaseVersion()).toMatch(/^20\d\d[a-z]$/);
  });

  it('converts there and back', () => {
    const wall = { year: 2024, month: 3, day: 10, hour: 2, minute: 30, second: 0 };
    expect(wallToInstant('America/New_York', wall)).toBe(Date.parse('2024-03-10T07:30:00Z'));
    expect(wallToInstant('America/New_York', wall, { gap: 'next' })).toBe(Date.parse('2024-03-10T07:00:00Z'));
    const twice = { ...wall, month: 11, day: 3, hour: 1 };
    expect(wallToInstant('America/New_York', twice)).toBe(Date.parse('2024-11-03T05:30:00Z'));
    expect(wallToInstant('America/New_York', twice, { fold: 'second' })).toBe(
      Date.parse('2024-11-03T06:30:00Z'),
    );
    expect(localParts('Asia/Kathmandu', Date.parse('2026-11-24T00:00:00Z'))).toEqual({
      year: 2026,
      month: 11,
      day: 24,
      hour: 5,
      minute: 45,
      second: 0,
      weekday: 2,
      offset: 20_700,
    });
    expect(formatInZone('Europe/Chisinau', Date.parse('2026-11-24T06:30:00Z'))).toBe('Tue 24 Nov 2026 08:30');
    expect(formatInZone('America/St_Johns', Date.parse('2026-11-24T06:30:05Z'), 'iso')).toBe(
      '2026-11-24T03:00:05-03:30',
    );
  });

  it('gives the same whatever zone the process runs in', async () => {
    const script = fileURLToPath(new URL('./process-zone.fixture.ts', import.meta.url));
    const run = async (TZ: string): Promise<string> =>
      (
        await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
          env: { ...process.env, TZ },
        })
      ).stdout;
    const [utc, ...others] = await Promise.all(['UTC', 'America/New_York', 'Pacific/Apia'].map(run));
    expect(JSON.parse(utc as string).length).toBeGreaterThan(20);
    for (const other of others) expect(other).toBe(utc);
  });
});
