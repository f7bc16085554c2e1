import { expect, test } from 'vitest';
import { localDayOf } from '../../../src/domain/pipeline/instants.js';

const formats = new Map<string, Intl.DateTimeFormat>();
function dateIn(zone: string, at: number): string {
  const options = { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('en-CA', options);
  formats.set(zone, format);
  return format.format(at);
}

/** St. John's put its clocks back from 00:01 to 23:01 of the day before; Beirut's gap is at midnight; Apia left out a day. */
const AROUND: [zone: string, instant: string][] = [
  ['America/St_Johns', '2010-11-07T02:31:00Z'],
  ['America/St_Johns', '2010-03-14T03:31:00Z'],
  ['Asia/Beirut', '2021-03-27T22:00:00Z'],
  ['Pacific/Apia', '2011-12-30T10:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z'],
];

test('the local day is that of the clock on the wall, also when days around a change were asked for before', () => {
  const order = (step: number) => Array.from({ length: 145 }, (_, at) => (at - 72) * step);
  for (const [zone, instant] of AROUND) {
    for (const minutes of [...order(30), ...order(-30)]) {
      const at = Date.parse(instant) + minutes * 60_000;
      const day = localDayOf(at, zone);
      expect([zone, at, day.date]).toEqual([zone, at, dateIn(zone, at)]);
      expect(dateIn(zone, day.startAt)).toBe(day.date);
    }
  }
});
