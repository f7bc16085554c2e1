import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  onVacation,
  quietAt,
  quietTimesOf,
  quietTimesSchema,
  type QuietTimes,
} from '../../src/domain/quiet-times.js';

const MINUTE = 60_000;
const times = (input: unknown): QuietTimes => quietTimesSchema.parse(input);
const night = (timezone: string, more: object = {}) =>
  times({ quiet_hours: { from: '22:00', to: '09:00', timezone, ...more } });
const until = (quiet: QuietTimes, at: string): string | null => {
  const found = quietAt(quiet, Date.parse(at));
  return found === null ? null : new Date(found.until).toISOString();
};

describe('quiet hours', () => {
  it('last over midnight, and end in the zone of the person', () => {
    const chisinau = night('Europe/Chisinau');
    expect(until(chisinau, '2026-11-24T06:30:00Z')).toBe('2026-11-24T07:00:00.000Z');
    expect(until(chisinau, '2026-11-23T20:00:00Z')).toBe('2026-11-24T07:00:00.000Z');
    expect(until(chisinau, '2026-11-23T19:59:59.999Z')).toBeNull();
    expect(until(chisinau, '2026-11-24T07:00:00Z')).toBeNull();
  });

  it('belong to the day they begin on', () => {
    const weekend = night('UTC', { days: ['FR', 'SA'] });
    // Friday, 27 November 2026 to Sunday morning.
    expect(until(weekend, '2026-11-27T21:59:00Z')).toBeNull();
    expect(until(weekend, '2026-11-27T22:00:00Z')).toBe('2026-11-28T09:00:00.000Z');
    expect(until(weekend, '2026-11-29T08:59:00Z')).toBe('2026-11-29T09:00:00.000Z');
    expect(until(weekend, '2026-11-29T22:00:00Z')).toBeNull();
    const sunday = times({ quiet_hours: { from: '00:00', to: '00:00', timezone: 'UTC', days: ['SU'] } });
    expect(until(sunday, '2026-11-29T12:00:00Z')).toBe('2026-11-30T00:00:00.000Z');
    expect(until(sunday, '2026-11-28T23:59:00Z')).toBeNull();
  });

  it('are as long as the night is when the clock changes', () => {
    const berlin = times({ quiet_hours: { from: '01:00', to: '02:30', timezone: 'Europe/Berlin' } });
    // The clock goes from 02:00 to 03:00: half past two does not come, and it is over with the jump.
    expect(until(berlin, '2026-03-29T00:30:00Z')).toBe('2026-03-29T01:00:00.000Z');
    // The clock goes from 03:00 back to 02:00: half past two comes twice.
    expect(until(berlin, '2026-10-25T00:10:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(until(berlin, '2026-10-25T01:10:00Z')).toBe('2026-10-25T01:30:00.000Z');
    expect(until(berlin, '2026-10-25T00:40:00Z')).toBeNull();
  });

  it('that meet are one quiet time, and it says why it began', () => {
    const both = times({
      quiet_hours: [
        { from: '22:00', to: '06:00', timezone: 'UTC' },
        { from: '06:00', to: '09:00', timezone: 'UTC' },
      ],
      vacation: { from: '2026-12-24', to: '2027-01-01', timezone: 'UTC' },
    });
    expect(until(both, '2026-11-24T23:00:00Z')).toBe('2026-11-25T09:00:00.000Z');
    expect(quietAt(both, Date.parse('2026-12-30T12:00:00Z'))).toEqual({
      reason: 'vacation',
      until: Date.parse('2027-01-02T09:00:00Z'),
      digest: true,
    });
    expect(quietAt(both, Date.parse('2026-12-23T23:00:00Z'))).toEqual({
      reason: 'quiet_hours',
      until: Date.parse('2027-01-02T09:00:00Z'),
      digest: true,
    });
    // A vacation that was or will be has nothing to do with tonight.
    expect(quietAt(both, Date.parse('2026-11-24T23:00:00Z'))?.digest).toBe(false);
    expect(quietAt(both, Date.parse('2027-02-01T23:00:00Z'))?.digest).toBe(false);
  });

  it('of a task stand in place of those of its agent; vacations add up', () => {
    const agent = night('UTC');
    const vacation = { vacation: { from: '2026-12-24', to: '2026-12-26', timezone: 'UTC' } };
    expect(quietTimesOf(times({ quiet_hours: 'none' }), agent).quiet_hours).toEqual([]);
    expect(quietTimesOf(null, agent)).toEqual(agent);
    expect(quietTimesOf(times(vacation), times(vacation)).vacation).toHaveLength(2);
    expect(onVacation(times(vacation), Date.parse('2026-12-26T23:59:00Z'))).toBe(true);
    expect(onVacation(times(vacation), Date.parse('2026-12-27T00:00:00Z'))).toBe(false);
  });

  it.each([
    [{ quiet_hours: { from: '22:00', to: '09:00' } }, 'timezone'],
    [{ quiet_hours: { from: '22:00', to: '9:00', timezone: 'UTC' } }, 'to'],
    [{ quiet_hours: { from: '24:00', to: '09:00', timezone: 'UTC' } }, 'from'],
    [{ quiet_hours: { from: '22:00', to: '09:00', timezone: 'Mars/Olympus' } }, 'timezone'],
    [{ quiet_hours: { from: '22:00', to: '09:00', timezone: 'UTC', days: ['XX'] } }, 'days'],
    [{ vacation: { from: '2026-12-24', to: '2026-12-23', timezone: 'UTC' } }, 'to'],
  ])('refuses %j', (input, field) => {
    const result = quietTimesSchema.safeParse(input);
    expect(result.error?.issues.flatMap(({ path }) => path)).toContain(field);
  });

  it('that never end are taken to end some day', () => {
    const always = times({ quiet_hours: { from: '00:00', to: '00:00', timezone: 'UTC' } });
    const at = Date.parse('2026-11-24T12:00:00Z');
    expect((quietAt(always, at)?.until ?? 0) - at).toBeGreaterThan(366 * 86_400_000);
  });
});

// An oracle of another kind: what Intl says the wall clock shows, minute by minute.
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
];
const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];
const formats = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }),
  ]),
);

function shows(zone: string, at: number): { now: string; day: number } {
  const parts = new Map(
    formats
      .get(zone)
      ?.formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const day = DAYS.indexOf((parts.get('weekday') ?? '').slice(0, 2).toUpperCase());
  return { now: `${parts.get('hour')}:${parts.get('minute')}`, day };
}

const timeOfDay = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);

describe('quiet hours, in any zone and over every change of the clock', () => {
  it('agree with what the clock on the wall shows', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        timeOfDay,
        timeOfDay,
        fc.option(fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1, maxLength: 6 }), {
          nil: undefined,
        }),
        // Around the changes of 2026, and anywhere else.
        fc.oneof(
          fc
            .constantFrom('2026-03-29', '2026-10-25', '2026-03-08', '2026-11-01', '2026-04-05', '2026-10-04')
            .map(Date.parse),
          fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2026-12-31') }),
        ),
        fc.integer({ min: -1440, max: 2880 }),
        (zone, from, to, days, around, minutes) => {
          const at = Math.floor(around / MINUTE) * MINUTE + minutes * MINUTE;
          const window = { from, to, timezone: zone, ...(days === undefined ? {} : { days }) };
          const isQuiet = (instant: number): boolean => {
            const { now, day } = shows(zone, instant);
            const on = (one: number) => days === undefined || days.includes(DAYS[(one + 7) % 7] as string);
            if (from < to) return now >= from && now < to && on(day);
            return (now >= from && on(day)) || (now < to && on(day - 1));
          };
          const found = quietAt(times({ quiet_hours: window }), at);
          if (!isQuiet(at)) return found === null;
          if (found === null) return false;
          if (found.until - at > 8 * 86_400_000) return days === undefined && from === to;
          // Quiet all the way, and not any more then.
          for (let minute = at; minute < found.until; minute += 7 * MINUTE)
            if (!isQuiet(minute)) return false;
          return isQuiet(found.until - MINUTE) && !isQuiet(found.until);
        },
      ),
      { numRuns: 400 },
    );
  });
});
