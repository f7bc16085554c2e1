import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listEvents } from '../../src/demo/calendar-events.js';
import { writeSampleCalendar } from '../../src/demo/sample-calendar.js';

const fixture = readFileSync(new URL('fixtures/briefing.ics', import.meta.url), 'utf8');
const window = (start: string, end: string, max = 50) => ({
  start: Date.parse(start),
  end: Date.parse(end),
  max,
});
const summaries = (source: string, start: string, end: string) =>
  listEvents(source, window(start, end)).map((item) => item.summary);

describe('listEvents', () => {
  it('lists the local day of 24 November 2026 in order and nothing of the days around it', () => {
    expect(listEvents(fixture, window('2026-11-24T00:00:00+02:00', '2026-11-25T00:00:00+02:00'))).toEqual([
      {
        id: 'birthday@example.com/2026-11-24',
        summary: "Ana's birthday",
        start: '2026-11-24',
        end: '2026-11-25',
        all_day: true,
      },
      {
        id: 'standup@example.com/2026-11-24T07:30:00.000Z',
        summary: 'Daily standup',
        start: '2026-11-24T07:30:00Z',
        end: '2026-11-24T07:45:00Z',
        all_day: false,
      },
      {
        id: 'dentist@example.com',
        summary: 'Dentist',
        start: '2026-11-24T12:00:00Z',
        end: '2026-11-24T12:45:00Z',
        all_day: false,
        location: 'Main Street 12',
      },
    ]);
  });

  it('leaves out the occurrence that EXDATE removes', () => {
    expect(summaries(fixture, '2026-11-25T00:00:00+02:00', '2026-11-26T00:00:00+02:00')).toEqual([
      'Late call US',
    ]);
  });

  it('shows an occurrence that was moved at its new time only', () => {
    expect(summaries(fixture, '2026-11-26T00:00:00+02:00', '2026-11-26T15:00:00+02:00')).toEqual([
      'Daily standup',
      'Retro (moved)',
    ]);
    expect(summaries(fixture, '2026-11-26T15:00:00+02:00', '2026-11-27T00:00:00+02:00')).toEqual([]);
  });

  it('follows the zone over the change to summer time', () => {
    const [standup] = listEvents(fixture, window('2027-03-29T00:00:00+03:00', '2027-03-30T00:00:00+03:00'));
    expect(standup).toMatchObject({ summary: 'Daily standup', start: '2027-03-29T06:30:00Z' });
  });

  it('gives no more than max events', () => {
    expect(
      listEvents(fixture, window('2026-11-24T00:00:00+02:00', '2026-11-25T00:00:00+02:00', 1)),
    ).toHaveLength(1);
  });

  it('refuses text that is not iCalendar', () => {
    expect(() => listEvents('hello', window('2026-11-24T00:00:00Z', '2026-11-25T00:00:00Z'))).toThrow(
      /not iCalendar/,
    );
  });
});

describe('writeSampleCalendar', () => {
  it.each([
    [
      'Europe/Chisinau',
      '2026-11-24T06:30:00Z',
      '2026-11-24T00:00:00+02:00',
      '2026-11-25T00:00:00+02:00',
      '07:30:00Z',
    ],
    [
      'America/New_York',
      '2026-07-01T12:00:00Z',
      '2026-07-01T00:00:00-04:00',
      '2026-07-02T00:00:00-04:00',
      '13:30:00Z',
    ],
    [
      'Asia/Kathmandu',
      '2026-11-24T01:00:00Z',
      '2026-11-24T00:00:00+05:45',
      '2026-11-25T00:00:00+05:45',
      '03:45:00Z',
    ],
  ])('fills the day of today in %s', (timezone, now, start, end, standup) => {
    const source = writeSampleCalendar({ now: Date.parse(now), timezone });
    const items = listEvents(source, window(start, end));
    expect(items.map((item) => item.summary)).toEqual([
      "Ana's birthday",
      'Daily standup',
      'Dentist',
      'Walk in the park',
    ]);
    expect(items[1]?.start.slice(11)).toBe(standup);
  });

  it('keeps the wall time after the offset changes', () => {
    const source = writeSampleCalendar({
      now: Date.parse('2026-10-20T06:30:00Z'),
      timezone: 'Europe/Berlin',
    });
    const [monday] = listEvents(source, window('2026-10-26T00:00:00+01:00', '2026-10-27T00:00:00+01:00'));
    expect(monday).toMatchObject({ summary: 'Daily standup', start: '2026-10-26T08:30:00Z' });
  });

  it('has something on every day of the next weeks', () => {
    const now = Date.parse('2026-11-24T06:30:00Z');
    const source = writeSampleCalendar({ now, timezone: 'UTC' });
    for (let day = 0; day < 40; day++) {
      const start = Date.parse('2026-11-24T00:00:00Z') + day * 86_400_000;
      expect(listEvents(source, { start, end: start + 86_400_000, max: 50 })).not.toEqual([]);
    }
  });
});
