import { describe, expect, it } from 'vitest';
import { anchored } from '../../src/domain/recurrence-of.js';
import { type Schedule, scheduleSchema } from '../../src/domain/schedule.js';

const NOW = Date.parse('2026-11-24T12:34:56.789Z');
const rrule = (expr: string, more: object = {}): Schedule =>
  scheduleSchema.parse({ kind: 'rrule', expr, timezone: 'Europe/Chisinau', ...more });
const startOf = (schedule: Schedule, before?: Schedule) =>
  (anchored(schedule, before, NOW) as { dtstart?: string }).dtstart;

describe('the start a rule is counted from', () => {
  it('is midnight in the zone when none is given, so that BYHOUR alone means the full hour', () => {
    expect(startOf(rrule('FREQ=DAILY;BYHOUR=8'))).toBe('2026-11-23T22:00:00Z');
  });

  it('is the moment itself with COUNT: what lies before it is not counted', () => {
    expect(startOf(rrule('FREQ=HOURLY;COUNT=5'))).toBe('2026-11-24T12:34:56Z');
    expect(startOf(rrule('COUNT=5;FREQ=HOURLY'))).toBe('2026-11-24T12:34:56Z');
  });

  it('stays what it was while rule and zone are the same', () => {
    const before = rrule('FREQ=WEEKLY;INTERVAL=2', { dtstart: '2020-01-06T09:00:00' });
    expect(startOf(rrule('FREQ=WEEKLY;INTERVAL=2'), before)).toBe('2020-01-06T09:00:00');
    expect(startOf(rrule('FREQ=WEEKLY;INTERVAL=2', { overlap: 'allow' }), before)).toBe(
      '2020-01-06T09:00:00',
    );
    expect(startOf(rrule('FREQ=WEEKLY;INTERVAL=3'), before)).toBe('2026-11-23T22:00:00Z');
    expect(startOf(rrule('FREQ=WEEKLY;INTERVAL=2', { timezone: 'UTC' }), before)).toBe(
      '2026-11-24T00:00:00Z',
    );
  });

  it('is never put beside one that is given, in the rule or with it', () => {
    expect(startOf(rrule('FREQ=DAILY', { dtstart: '2026-01-01' }))).toBe('2026-01-01');
    expect(startOf(rrule('DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY'))).toBeUndefined();
    const cron = scheduleSchema.parse({ kind: 'cron', expr: '0 9 * * *', timezone: 'UTC' });
    expect(startOf(cron)).toBeUndefined();
  });
});

describe('every', () => {
  it.each([
    ['15m', 'FREQ=MINUTELY;INTERVAL=15'],
    ['1h', 'FREQ=HOURLY'],
    ['1h30m', 'FREQ=MINUTELY;INTERVAL=90'],
    ['24h', 'FREQ=HOURLY;INTERVAL=24'],
    ['1d', 'FREQ=DAILY'],
    ['2w', 'FREQ=WEEKLY;INTERVAL=2'],
    ['45s', 'FREQ=SECONDLY;INTERVAL=45'],
  ])('%s is %s', (every, expr) => {
    for (const kind of [{}, { kind: 'every' }]) {
      const schedule = scheduleSchema.parse({ ...kind, every, timezone: 'UTC', overlap: 'queue' });
      expect(schedule).toMatchObject({ kind: 'rrule', expr, overlap: 'queue' });
      expect(schedule).not.toHaveProperty('every');
    }
  });

  it.each(['', '0s', '500ms', '1.5s', 'hourly', '15', 15, null])('refuses %j, at its own place', (every) => {
    const { error } = scheduleSchema.safeParse({ every, timezone: 'UTC' });
    expect(error?.issues[0]?.path).toEqual(['every']);
    expect(error?.issues[0]?.message).toContain('15m');
  });

  it('still belongs to a condition', () => {
    const condition = { kind: 'condition', every: '5m', check: { uses: 'disk.free' }, when: 'result.low' };
    expect(scheduleSchema.parse(condition)).toMatchObject({ kind: 'condition', every: '5m' });
  });
});
