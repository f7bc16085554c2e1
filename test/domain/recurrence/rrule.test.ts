import { RRuleTemporal } from 'rrule-temporal';
import { describe, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import {
  compileRecurrence,
  describe as describeIt,
  nextOccurrences,
} from '../../../src/domain/recurrence/index.js';

const NEW_YORK = 'America/New_York';
const next = (
  expr: string,
  dtstart: string,
  after: string,
  count = 3,
  tzid = NEW_YORK,
  more = {},
): string[] => nextOccurrences({ kind: 'rrule', expr, tzid, dtstart, after, count, ...more });
const utc = (expr: string, dtstart: string, after: string, count = 3): string[] =>
  next(expr, dtstart, after, count, 'UTC');

describe('RRULE: traps other engines fall into (recurrence.md, section 3)', () => {
  it('reads an overlap the same in every season', () => {
    expect(next('FREQ=DAILY', '2024-10-20T01:30:00', '2024-11-02T12:00:00Z', 2)).toEqual([
      '2024-11-03T05:30:00Z',
      '2024-11-04T06:30:00Z',
    ]);
  });

  it('compares a UTC UNTIL as an instant, inclusive', () => {
    expect(
      next('FREQ=DAILY;UNTIL=20240303T140000Z', '2024-03-01T09:00:00', '2024-03-01T00:00:00Z', 9),
    ).toEqual(['2024-03-01T14:00:00Z', '2024-03-02T14:00:00Z', '2024-03-03T14:00:00Z']);
    expect(
      next('FREQ=DAILY;UNTIL=20240303T135959Z', '2024-03-01T09:00:00', '2024-03-01T00:00:00Z', 9),
    ).toHaveLength(2);
  });

  it.each([
    ['FREQ=HOURLY;INTERVAL=2;BYHOUR=1', 'an INTERVAL that always misses BYHOUR'],
    ['FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1', 'an INTERVAL that always misses BYMINUTE'],
    ['FREQ=SECONDLY;INTERVAL=3600;BYMINUTE=7', 'seconds that always miss BYMINUTE'],
    ['FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the year'],
    ['FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the month'],
    ['FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the day'],
    ['FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the hour'],
    ['FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the minute'],
    ['FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30', '30 February, by the second'],
    ['FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29', 'a leap day in years that are never leap years'],
    ['FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=4', '31 April'],
    ['FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYSETPOS=2', 'the second of one'],
    ['FREQ=HOURLY;BYMINUTE=0;BYSETPOS=2', 'the second of one minute'],
    ['FREQ=MONTHLY;BYDAY=6MO', 'a sixth Monday'],
    ['FREQ=YEARLY;BYYEARDAY=1;BYMONTH=2', 'a day of the year in another month'],
    ['FREQ=DAILY;UNTIL=20200101T000000Z', 'an UNTIL before the start'],
    ['FREQ=DAILY;INTERVAL=7;BYDAY=TU', 'every 7 days from a Monday, on Tuesdays'],
    ['FREQ=HOURLY;INTERVAL=168;BYDAY=TU', 'every 168 hours from a Monday, on Tuesdays'],
  ])('refuses %s at once (%s)', (expr) => {
    // 2023-01-02 is a Monday.
    expect(() => utc(expr, '2023-01-02T00:00:00', '2024-01-01T00:00:00Z')).toThrowError(
      expect.objectContaining({
        code: 'PAO_SCHEDULE_INVALID',
        message: expect.stringContaining('never fires'),
      }),
    );
  });

  it('finds the summer when only the summer meets the grid', () => {
    expect(next('FREQ=HOURLY;INTERVAL=2;BYHOUR=1', '2024-01-01T00:00:00', '2024-01-01T00:00:00Z', 1)).toEqual(
      ['2024-03-11T05:00:00Z'],
    );
  });

  it('counts a position from the end only when the set is large enough', () => {
    expect(
      utc('FREQ=MONTHLY;BYMONTHDAY=20,31;BYSETPOS=-2', '2024-01-01T00:00:00', '2024-01-01T00:00:00Z', 3),
    ).toEqual(['2024-01-20T00:00:00Z', '2024-03-20T00:00:00Z', '2024-05-20T00:00:00Z']);
  });

  it('numbers weeks at the turn of the year by ISO 8601', () => {
    expect(utc('FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU', '2015-01-01T00:00:00', '2015-01-01T00:00:00Z', 2)).toEqual(
      ['2016-01-03T00:00:00Z', '2021-01-03T00:00:00Z'],
    );
    expect(utc('FREQ=YEARLY;BYWEEKNO=52;BYDAY=SU', '2021-06-01T00:00:00', '2021-06-01T00:00:00Z', 2)).toEqual(
      ['2022-01-02T00:00:00Z', '2023-01-01T00:00:00Z'],
    );
    expect(
      utc('FREQ=YEARLY;BYWEEKNO=-53;BYDAY=MO', '2015-01-01T00:00:00', '2014-12-01T00:00:00Z', 2),
    ).toEqual(['2019-12-30T00:00:00Z', '2025-12-29T00:00:00Z']);
  });

  it('takes the weekday of DTSTART for BYWEEKNO alone', () => {
    expect(utc('FREQ=YEARLY;BYWEEKNO=20', '2024-01-04T09:00:00', '2024-01-01T00:00:00Z', 2)).toEqual([
      '2024-05-16T09:00:00Z',
      '2025-05-15T09:00:00Z',
    ]);
  });

  it('misses no Monday by 60-minute steps (rrule #600)', () => {
    expect(
      utc('FREQ=MINUTELY;INTERVAL=60;BYDAY=MO;BYHOUR=9', '2024-01-01T00:00:00', '2024-01-01T00:00:00Z', 3),
    ).toEqual(['2024-01-01T09:00:00Z', '2024-01-08T09:00:00Z', '2024-01-15T09:00:00Z']);
  });

  it('sorts what is written in any order', () => {
    expect(utc('FREQ=DAILY;BYHOUR=17,9,17', '2024-01-01T00:00:00', '2024-01-01T00:00:00Z', 3)).toEqual([
      '2024-01-01T09:00:00Z',
      '2024-01-01T17:00:00Z',
      '2024-01-02T09:00:00Z',
    ]);
  });

  it('leaves out the 31st and 29 February where there is none, and never clamps', () => {
    expect(utc('FREQ=MONTHLY', '2024-01-31T00:00:00', '2024-01-01T00:00:00Z', 3)).toEqual([
      '2024-01-31T00:00:00Z',
      '2024-03-31T00:00:00Z',
      '2024-05-31T00:00:00Z',
    ]);
    expect(utc('FREQ=YEARLY', '2096-02-29T00:00:00', '2096-03-01T00:00:00Z', 1)).toEqual([
      '2104-02-29T00:00:00Z',
    ]);
  });

  it('takes DTSTART as the anchor, not as an occurrence the rule does not have', () => {
    expect(utc('FREQ=WEEKLY;BYDAY=FR', '2024-01-01T09:00:00', '2023-12-01T00:00:00Z', 1)).toEqual([
      '2024-01-05T09:00:00Z',
    ]);
  });

  it('returns to its time on the day after a gap', () => {
    expect(next('FREQ=DAILY', '2024-03-08T02:30:00', '2024-03-09T12:00:00Z', 2)).toEqual([
      '2024-03-10T07:30:00Z',
      '2024-03-11T06:30:00Z',
    ]);
  });

  it('stays on an exact grid of elapsed time through both changes, with BYHOUR by the local clock', () => {
    expect(next('FREQ=HOURLY;INTERVAL=6', '2024-03-09T00:00:00', '2024-03-09T18:00:00Z', 4)).toEqual([
      '2024-03-09T23:00:00Z',
      '2024-03-10T05:00:00Z',
      '2024-03-10T11:00:00Z',
      '2024-03-10T17:00:00Z',
    ]);
    expect(
      next('FREQ=MINUTELY;INTERVAL=30;BYHOUR=1', '2024-01-01T00:00:00', '2024-11-03T04:00:00Z', 5),
    ).toEqual([
      '2024-11-03T05:00:00Z',
      '2024-11-03T05:30:00Z',
      '2024-11-03T06:00:00Z',
      '2024-11-03T06:30:00Z',
      '2024-11-04T06:00:00Z',
    ]);
  });

  it('begins with a start in the second pass of a fold, when the rule has it', () => {
    const second = '2024-11-03T01:30:00-05:00';
    expect(next('FREQ=DAILY;COUNT=2', second, '2024-11-01T00:00:00Z', 5)).toEqual([
      '2024-11-03T06:30:00Z',
      '2024-11-04T06:30:00Z',
    ]);
    expect(next('FREQ=WEEKLY;BYDAY=MO;COUNT=2', second, '2024-11-01T00:00:00Z', 5)).toEqual([
      '2024-11-04T06:30:00Z',
      '2024-11-11T06:30:00Z',
    ]);
  });

  it('obeys a fold and gap policy of its own by hours and minutes too', () => {
    const fall = (fold: string): string[] =>
      next('FREQ=MINUTELY;INTERVAL=30;BYHOUR=1', '2024-01-01T00:00:00', '2024-11-03T04:00:00Z', 2, NEW_YORK, {
        dst: { fold },
      });
    expect(fall('first')).toEqual(['2024-11-03T05:00:00Z', '2024-11-03T05:30:00Z']);
    expect(fall('second')).toEqual(['2024-11-03T06:00:00Z', '2024-11-03T06:30:00Z']);
    const spring = (gap: string): string[] =>
      next('FREQ=MINUTELY;INTERVAL=30;BYHOUR=2', '2024-01-01T00:00:00', '2024-03-10T05:00:00Z', 2, NEW_YORK, {
        dst: { gap },
      });
    expect(spring('shift')).toEqual(['2024-03-10T07:00:00Z', '2024-03-10T07:30:00Z']);
    expect(spring('skip')).toEqual(['2024-03-11T06:00:00Z', '2024-03-11T06:30:00Z']);
  });

  it('an old start costs nothing and a hostile one does not hang', () => {
    const rules = [
      'FREQ=SECONDLY',
      'FREQ=MINUTELY',
      'FREQ=SECONDLY;COUNT=1000000000',
      'FREQ=HOURLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29',
      'FREQ=SECONDLY;INTERVAL=86399;BYHOUR=3;BYMINUTE=3',
      'FREQ=YEARLY;INTERVAL=399',
      'FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=366;BYDAY=TH',
      'FREQ=MONTHLY;BYMONTHDAY=29;BYMONTH=2;BYDAY=MO',
      'FREQ=DAILY;INTERVAL=146096;BYDAY=MO',
    ];
    for (const expr of rules) {
      const rule = compileRecurrence({ kind: 'rrule', expr, tzid: NEW_YORK, dtstart: '1990-01-01T00:00:00' });
      const first = rule.next(Date.UTC(2026, 0, 1));
      if (first !== null) expect(rule.previousOrAt(first)).toBe(first);
    }
  });

  // Each of these once took from seconds to minutes; the test's own time limit is what they are held to.
  it.each([
    'FREQ=HOURLY;BYMONTHDAY=-26;BYYEARDAY=362,-356,132;BYSETPOS=-170',
    'FREQ=SECONDLY;BYMONTHDAY=27,17;BYYEARDAY=-147,-165;BYDAY=SU,WE;BYMINUTE=18',
    'FREQ=MINUTELY;INTERVAL=1000;BYMONTHDAY=-6,25;BYYEARDAY=-58;BYHOUR=8;BYSECOND=0,59;BYSETPOS=237,-194',
    'FREQ=HOURLY;INTERVAL=400;BYHOUR=18',
    'FREQ=SECONDLY;COUNT=1000000;BYDAY=SA,MO,FR,WE,TU',
    'FREQ=HOURLY;INTERVAL=3600;BYHOUR=4,8,20,1;BYSECOND=28',
  ])(
    'computes or refuses %s in bounded time',
    (expr) => {
      try {
        const rule = compileRecurrence({
          kind: 'rrule',
          expr,
          tzid: 'Pacific/Apia',
          dtstart: '1990-01-01T00:00:00',
        });
        for (const at of rule.take(Date.UTC(2025, 0, 1), 3)) expect(at).toBeGreaterThan(Date.UTC(2025, 0, 1));
      } catch (error) {
        expect((error as PaoError).code).toBe('PAO_SCHEDULE_INVALID');
      }
    },
    10_000,
  );

  it('refuses a COUNT that would have to be counted one by one for minutes', () => {
    expect(() => utc('FREQ=SECONDLY;COUNT=999999999;BYDAY=SA,MO', '1990-01-01', '2025-01-01')).toThrowError(
      /UNTIL|count one by one/,
    );
    expect(utc('FREQ=SECONDLY;COUNT=999999999', '2000-01-01T00:00:00', '2025-01-01T00:00:00Z', 1)).toEqual([
      '2025-01-01T00:00:01Z',
    ]);
  });
});

describe('RRULE: sets', () => {
  const block = (...lines: string[]): string => lines.join('\r\n');

  it('joins rules, adds RDATE, takes EXDATE away, and gives each instant once', () => {
    const expr = block(
      'DTSTART;TZID=America/New_York:20240301T090000',
      'RRULE:FREQ=WEEKLY;BYDAY=MO',
      'RRULE:FREQ=MONTHLY;BYMONTHDAY=4',
      'RDATE;TZID=America/New_York:20240305T100000,20240304T090000',
      'EXDATE;TZID=America/New_York:20240311T090000',
    );
    expect(
      nextOccurrences({ kind: 'rrule', expr, tzid: NEW_YORK, after: '2024-03-01T00:00:00Z', count: 4 }),
    ).toEqual([
      '2024-03-04T14:00:00Z',
      '2024-03-05T15:00:00Z',
      '2024-03-18T13:00:00Z',
      '2024-03-25T13:00:00Z',
    ]);
  });

  it('counts COUNT before EXDATE takes away', () => {
    const expr = block('DTSTART:20240301T090000Z', 'RRULE:FREQ=DAILY;COUNT=3', 'EXDATE:20240302T090000Z');
    expect(nextOccurrences({ kind: 'rrule', expr, tzid: 'UTC', after: 0, count: 9 })).toEqual([
      '2024-03-01T09:00:00Z',
      '2024-03-03T09:00:00Z',
    ]);
  });

  it('takes an EXDATE in a gap to be the occurrence that was shifted', () => {
    const expr = block(
      'DTSTART;TZID=America/New_York:20240309T023000',
      'RRULE:FREQ=DAILY',
      'EXDATE;TZID=America/New_York:20240310T023000',
    );
    expect(
      nextOccurrences({ kind: 'rrule', expr, tzid: NEW_YORK, after: '2024-03-09T12:00:00Z', count: 1 }),
    ).toEqual(['2024-03-11T06:30:00Z']);
  });

  it('reads folded lines, periods and dates alone', () => {
    const expr =
      'DTSTART;TZID=Europe/Berlin:20240301T090000\nRRULE:FREQ=DAILY;\n COUNT=4\nEXDATE;VALUE=DATE:20240302\nRDATE;VALUE=PERIOD:20240310T090000Z/PT1H\n';
    expect(nextOccurrences({ kind: 'rrule', expr, tzid: 'Europe/Berlin', after: 0, count: 9 })).toEqual([
      '2024-03-01T08:00:00Z',
      '2024-03-03T08:00:00Z',
      '2024-03-04T08:00:00Z',
      '2024-03-10T09:00:00Z',
    ]);
  });

  it('fires an all-day rule at local midnight, with an UNTIL that is a date', () => {
    const expr = block('DTSTART;VALUE=DATE:20240330', 'RRULE:FREQ=DAILY;UNTIL=20240401');
    expect(nextOccurrences({ kind: 'rrule', expr, tzid: 'Europe/Berlin', after: 0, count: 9 })).toEqual([
      '2024-03-29T23:00:00Z',
      '2024-03-30T23:00:00Z',
      '2024-03-31T22:00:00Z',
    ]);
    const beirut = block('DTSTART;VALUE=DATE:20240330', 'RRULE:FREQ=DAILY');
    expect(nextOccurrences({ kind: 'rrule', expr: beirut, tzid: 'Asia/Beirut', after: 0, count: 3 })).toEqual(
      ['2024-03-29T22:00:00Z', '2024-03-30T22:00:00Z', '2024-03-31T21:00:00Z'],
    );
  });

  it('takes an UNTIL that is a date also where the start beside the rule is one', () => {
    const query = { kind: 'rrule', expr: 'FREQ=DAILY;UNTIL=20240401', tzid: 'Europe/Berlin' } as const;
    const days = ['2024-03-29T23:00:00Z', '2024-03-30T23:00:00Z', '2024-03-31T22:00:00Z'];
    expect(nextOccurrences({ ...query, dtstart: '2024-03-30', after: 0, count: 9 })).toEqual(days);
    expect(() => nextOccurrences({ ...query, dtstart: '2024-03-30T00:00:00', after: 0 })).toThrowError(
      /does not say which instant/,
    );
    expect(describeIt({ ...query, dtstart: '2024-03-30' }, { now: 0 })).toContain(
      'until the end of 1 April 2024',
    );
  });

  it('needs no zone beside an expression that has one', () => {
    const expr = block('DTSTART;TZID=America/New_York:20240301T090000', 'RRULE:FREQ=DAILY');
    expect(nextOccurrences({ kind: 'rrule', expr, after: '2024-03-02T00:00:00' })).toEqual([
      '2024-03-02T14:00:00Z',
    ]);
    const utcStart = block('DTSTART:20240301T090000Z', 'RRULE:FREQ=DAILY');
    expect(nextOccurrences({ kind: 'rrule', expr: utcStart, after: 0 })).toEqual(['2024-03-01T09:00:00Z']);
    expect(nextOccurrences({ kind: 'once', expr: '2024-03-01T09:00:00+02:00', after: 0 })).toEqual([
      '2024-03-01T07:00:00Z',
    ]);
    for (const unclear of [
      { kind: 'once', expr: '2024-03-01T09:00:00' },
      { kind: 'cron', expr: '0 9 * * *' },
      { kind: 'rrule', expr: block('DTSTART:20240301T090000', 'RRULE:FREQ=DAILY') },
    ] as const)
      expect(() => nextOccurrences({ ...unclear, after: 0 })).toThrowError(/time zone is missing/);
  });

  it('lets the zone and the start inside the expression count, and says so', () => {
    const expr = block('DTSTART;TZID=America/New_York:20240301T090000', 'RRULE:FREQ=DAILY');
    const rule = compileRecurrence({
      kind: 'rrule',
      expr,
      tzid: 'Europe/Berlin',
      dtstart: '2024-02-01T09:00:00',
    });
    expect(rule.tzid).toBe(NEW_YORK);
    expect(rule.warnings(Date.UTC(2024, 0, 1)).map(({ code }) => code)).toEqual(
      expect.arrayContaining(['own_zone', 'own_start']),
    );
  });

  it.each([
    [block('DTSTART:20240301T090000Z'), 'no rule'],
    [block('RRULE:FREQ=DAILY', 'EXRULE:FREQ=WEEKLY'), 'EXRULE'],
    [block('DTSTART:20240230T090000Z', 'RRULE:FREQ=DAILY'), 'a start that does not exist'],
    [block('DTSTART;TZID=Nowhere/Town:20240201T090000', 'RRULE:FREQ=DAILY'), 'an unknown zone'],
    [block('DTSTART:20240301T090000Z', 'DTSTART:20240301T090000Z', 'RRULE:FREQ=DAILY'), 'two starts'],
    [
      block(
        'DTSTART:20240301T090000Z',
        'RRULE:FREQ=DAILY;COUNT=2',
        'EXDATE:20240301T090000Z,20240302T090000Z',
      ),
      'everything excluded',
    ],
    [block('SUMMARY:hello', 'RRULE:FREQ=DAILY'), 'another property'],
    [block('DTSTART:20240301T090000Z', 'RRULE:FREQ=DAILY', 'RDATE:yesterday'), 'an RDATE that is no date'],
    [block('DTSTART;TZID=Europe/Berlin:20240301T090000Z', 'RRULE:FREQ=DAILY'), 'UTC with a zone'],
    [block('DTSTART;VALUE=DATE;TZID=Europe/Berlin:20240301', 'RRULE:FREQ=DAILY'), 'a date with a zone'],
    [block('DTSTART;VALUE=DATE:20240301', 'RRULE:FREQ=DAILY;BYHOUR=9'), 'an hour of an all-day rule'],
  ])('refuses %j (%s)', (expr) => {
    expect(() =>
      nextOccurrences({ kind: 'rrule', expr, tzid: 'UTC', dtstart: '2024-01-01T00:00:00Z', after: 0 }),
    ).toThrowError(PaoError);
  });
});

describe('RRULE: what is refused', () => {
  it.each([
    '',
    'FREQ=',
    'FREQ=FORTNIGHTLY',
    'freq=daily',
    'FREQ=daily',
    'INTERVAL=2',
    'COUNT=3',
    'FREQ=DAILY;',
    ';FREQ=DAILY',
    'FREQ=DAILY;;COUNT=2',
    'FREQ=DAILY; COUNT=2',
    'FREQ=DAILY;FREQ=DAILY',
    'FREQ=DAILY;COUNT=2;COUNT=3',
    'FREQ=DAILY;COUNT=2;UNTIL=20240101T000000Z',
    'FREQ=DAILY;COUNT=abc',
    'FREQ=DAILY;COUNT=0',
    'FREQ=DAILY;COUNT=-1',
    'FREQ=DAILY;INTERVAL=0',
    'FREQ=DAILY;INTERVAL=-1',
    'FREQ=DAILY;INTERVAL=1.5',
    'FREQ=DAILY;INTERVAL=',
    'FREQ=DAILY;INTERVAL=null',
    'FREQ=DAILY;INTERVAL=99999999999',
    'FREQ=WEEKLY;BYDAY=XX',
    'FREQ=WEEKLY;BYDAY=',
    'FREQ=WEEKLY;BYDAY=MO,',
    'FREQ=WEEKLY;BYDAY=1MO',
    'FREQ=DAILY;BYDAY=1MO',
    'FREQ=MONTHLY;BYDAY=0MO',
    'FREQ=MONTHLY;BYDAY=54MO',
    'FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO',
    'FREQ=DAILY;BYHOUR=24',
    'FREQ=DAILY;BYHOUR=25',
    'FREQ=DAILY;BYHOUR=-1',
    'FREQ=DAILY;BYHOUR=+9',
    'FREQ=DAILY;BYMINUTE=60',
    'FREQ=DAILY;BYSECOND=61',
    'FREQ=DAILY;BYHOUR=9,,10',
    'FREQ=DAILY;BYHOUR=9-17',
    'FREQ=YEARLY;BYMONTH=13',
    'FREQ=YEARLY;BYMONTH=0',
    'FREQ=YEARLY;BYMONTH=-1',
    'FREQ=MONTHLY;BYMONTHDAY=0',
    'FREQ=MONTHLY;BYMONTHDAY=32',
    'FREQ=WEEKLY;BYMONTHDAY=1',
    'FREQ=YEARLY;BYYEARDAY=367',
    'FREQ=YEARLY;BYYEARDAY=0',
    'FREQ=DAILY;BYYEARDAY=1',
    'FREQ=WEEKLY;BYYEARDAY=1',
    'FREQ=MONTHLY;BYYEARDAY=1',
    'FREQ=MONTHLY;BYWEEKNO=1',
    'FREQ=DAILY;BYWEEKNO=1',
    'FREQ=YEARLY;BYWEEKNO=54',
    'FREQ=YEARLY;BYWEEKNO=0',
    'FREQ=DAILY;BYSETPOS=1',
    'FREQ=DAILY;BYHOUR=9;BYSETPOS=0',
    'FREQ=DAILY;BYHOUR=9;BYSETPOS=367',
    'FREQ=WEEKLY;WKST=XX',
    'FREQ=WEEKLY;WKST=',
    'FREQ=DAILY;BYEASTER=1',
    'FREQ=DAILY;X-FOO=1',
    'FREQ=DAILY;__proto__=1',
    'FREQ=DAILY;constructor=1',
    'FREQ=DAILY;UNTIL=20240101',
    'FREQ=DAILY;UNTIL=20240101T000000',
    'FREQ=DAILY;UNTIL=2024-01-01T00:00:00Z',
    'FREQ=DAILY;UNTIL=20240230T000000Z',
    'FREQ=DAILY;UNTIL=20241301T000000Z',
    'FREQ=DAILY;UNTIL=20240101T250000Z',
    'FREQ=DAILY;UNTIL=never',
    'FREQ=DAILY\n',
    'FREQ=DAILY\u0000',
    'FREQ=DÄILY',
    'RRULE:',
    'RRULE:RRULE:FREQ=DAILY',
    'FREQ=DAILY=1',
    'FREQ',
    `FREQ=DAILY;BYHOUR=${'9,'.repeat(2000)}9`,
    'X'.repeat(100_000),
    'every day',
  ])('%j', (expr) => {
    let thrown: unknown;
    try {
      nextOccurrences({
        kind: 'rrule',
        expr,
        tzid: 'UTC',
        dtstart: '2023-06-01T00:00:00Z',
        after: '2023-06-01T00:00:00Z',
      });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(PaoError);
    const { code, message, problems } = thrown as PaoError;
    expect(code).toBe('PAO_SCHEDULE_INVALID');
    expect(message.length).toBeLessThanOrEqual(1000);
    expect(problems.length).toBeGreaterThan(0);
    expect(message).not.toContain('X'.repeat(60));
  });

  it('lists all problems of a rule', () => {
    try {
      utc('FREQ=DAILY;BYHOUR=25;BYMINUTE=61;INTERVAL=0;COLOR=RED', '2023-01-01', '2023-01-01');
      expect.unreachable();
    } catch (error) {
      expect((error as PaoError).problems.map(({ pointer }) => pointer)).toEqual([
        '/expr',
        '/expr',
        '/expr',
        '/expr',
      ]);
    }
  });
});

describe('RRULE against rrule-temporal in UTC', () => {
  const starts = ['2023-01-31T09:30:00Z', '2024-02-29T23:59:58Z', '2019-12-30T00:00:00Z'];
  const parts = [
    'FREQ=DAILY',
    'FREQ=DAILY;INTERVAL=3;BYDAY=MO,WE',
    'FREQ=DAILY;BYMONTH=2,6;BYMONTHDAY=1,-1',
    'FREQ=DAILY;BYHOUR=6,18;BYMINUTE=0,30;BYSETPOS=2,-1',
    'FREQ=WEEKLY;BYDAY=SU,MO;WKST=SU;INTERVAL=2',
    'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR',
    'FREQ=WEEKLY;INTERVAL=3;BYMONTH=1,7;BYDAY=SA',
    'FREQ=MONTHLY;BYDAY=1MO,-1FR',
    'FREQ=MONTHLY;BYMONTHDAY=29,30,31',
    'FREQ=MONTHLY;INTERVAL=5;BYDAY=TU;BYMONTHDAY=8,9,10,11,12,13,14',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2',
    'FREQ=YEARLY;BYMONTH=1,3;BYDAY=2TU',
    'FREQ=YEARLY;BYDAY=20MO,-1FR',
    'FREQ=YEARLY;BYYEARDAY=1,100,-1',
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29',
    'FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8',
    'FREQ=HOURLY;INTERVAL=5',
    'FREQ=HOURLY;BYMINUTE=0,20,40;BYDAY=SA',
    'FREQ=MINUTELY;INTERVAL=7;BYHOUR=9,10',
    'FREQ=SECONDLY;INTERVAL=4321',
    'FREQ=MINUTELY;INTERVAL=90;BYMONTHDAY=-1',
    'FREQ=DAILY;COUNT=17',
    'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=6',
    'FREQ=WEEKLY;UNTIL=20260301T000000Z',
  ];
  it.each(parts)('%s', (expr) => {
    for (const start of starts) {
      const dtstart = start.replace(/[-:]/g, '');
      const theirs = new RRuleTemporal({
        rruleString: `DTSTART:${dtstart}\nRRULE:${expr}`,
        includeDtstart: false,
      });
      const expected: string[] = [];
      for (const date of theirs.all((_, index) => index < 40))
        expected.push(new Date(date.epochMilliseconds).toISOString().replace('.000', ''));
      expect(utc(expr, start, '2000-01-01T00:00:00Z', expected.length)).toEqual(expected);
    }
  });
});
