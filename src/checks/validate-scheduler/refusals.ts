import type { RecurrenceSpec } from '../../domain/recurrence/index.js';
import { type Check, CheckFailure } from '../check.js';
import type { SchedulerProof } from './proof.js';

const spec = (kind: RecurrenceSpec['kind'], expr: string, tzid = 'UTC'): RecurrenceSpec => ({
  kind,
  expr,
  tzid,
});

/** What must be refused, and a word the refusal must have: it is about this and nothing else. */
const REFUSED: [RecurrenceSpec, RegExp][] = [
  [spec('cron', '61 * * * *'), /minute/],
  [spec('cron', '0 24 * * *'), /hour/],
  [spec('cron', '* * * *'), /five fields/],
  [spec('cron', '@dayly'), /macro/],
  [spec('cron', '0 0 30 2 *'), /never fires/],
  [spec('cron', '0 0 * * *\n* * * * *'), /one line|ASCII/],
  [spec('rrule', 'FREQ=SOMETIMES'), /FREQ|SOMETIMES/],
  [spec('rrule', 'INTERVAL=2'), /FREQ/],
  [spec('rrule', 'FREQ=DAILY;INTERVAL=0'), /INTERVAL/],
  [spec('rrule', 'FREQ=DAILY;BYHOUR=25'), /BYHOUR/],
  [spec('rrule', 'FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z'), /COUNT|UNTIL/],
  [spec('rrule', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'), /never|no such|occur/i],
  [spec('once', 'tomorrow'), /not a date and time/],
  [spec('once', '2026-02-30T08:00:00Z'), /not a date and time/],
  [spec('cron', '0 8 * * *', 'Mars/Olympus'), /zone/],
  [spec('cron', '0 8 * * *', '+02:00'), /zone/],
];

/** Nothing that can not be is taken, and the refusal helps. */
export const refusalCheck: Check<SchedulerProof> = {
  id: 'refusals.messages',
  title: 'Schedules that can not be are refused, with the reason and what to write instead',
  group: 'Refusals',
  async run({ engine, clock }) {
    const faults: { expr: string; fault: string }[] = [];
    let hints = 0;
    for (const [one, word] of REFUSED) {
      const verdict = engine.validate(one, { now: clock.now() });
      const [problem] = verdict.problems;
      const message = verdict.problems.map((each) => each.message).join(' ');
      if (problem?.hint !== undefined) hints += 1;
      if (verdict.valid) faults.push({ expr: one.expr, fault: 'is taken' });
      else if (!word.test(message))
        faults.push({ expr: one.expr, fault: `is refused without the reason: "${message}"` });
      else if (message.length > 1000)
        faults.push({ expr: one.expr, fault: `is refused in ${message.length} characters` });
    }
    const [first] = faults;
    if (first === undefined) return { refused: REFUSED.length, with_a_hint: hints };
    throw new CheckFailure(
      `${JSON.stringify(first.expr)} ${first.fault}; ${faults.length} of ${REFUSED.length} are wrong.`,
      `pao validate scheduler ${JSON.stringify(first.expr)}`,
      { faults },
    );
  },
};
