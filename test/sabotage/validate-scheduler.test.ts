import { fileURLToPath } from 'node:url';
import { VirtualClock } from '../../src/domain/clock.js';
import type { OccurrencesQuery } from '../../src/domain/recurrence/index.js';
import { type SchedulerProof, schedulerProof } from '../../src/checks/validate-scheduler/proof.js';
import type { LedgerRow } from '../../src/checks/validate-scheduler/simulation.js';
import { validateScheduler } from '../../src/checks/validate-scheduler/suite.js';
import { sabotage } from './sabotage.js';

const proof = schedulerProof(fileURLToPath(new URL('../..', import.meta.url)));

/** An engine that gives other answers to the questions that fit. */
function wrongly(
  fits: RegExp | ((query: OccurrencesQuery) => boolean),
  spoil: (answers: string[]) => string[],
): SchedulerProof {
  const isMeant = (query: OccurrencesQuery) =>
    typeof fits === 'function' ? fits(query) : fits.test(query.expr);
  const nextOccurrences: SchedulerProof['engine']['nextOccurrences'] = (query) => {
    const answers = proof.engine.nextOccurrences(query);
    return isMeant(query) ? spoil(answers) : answers;
  };
  return { ...proof, engine: { ...proof.engine, nextOccurrences } };
}

const later = (hours: number) => (answers: string[]) =>
  answers.map((one) => new Date(Date.parse(one) + hours * 3_600_000).toISOString().replace('.000Z', 'Z'));
const withoutFirst = (answers: string[]) => answers.slice(1);

/** A scheduler whose ledger is tampered with. */
function tampered(spoil: (rows: LedgerRow[]) => LedgerRow[]): SchedulerProof {
  return {
    ...proof,
    async simulate(options) {
      const simulation = await proof.simulate(options);
      return { ...simulation, rows: async () => spoil(await simulation.rows()) };
    },
  };
}

const child = (code: number, stdout: string, stderr: string): SchedulerProof => ({
  ...proof,
  runNode: async () => ({ code, stdout, stderr }),
});

sabotage(
  validateScheduler,
  'modules.sqlite',
  'a driver that is not installed, one that crashes, and one that answers wrongly',
  async (fails) => {
    await fails(
      { ...proof, packageRoot: '/nonexistent' },
      /better-sqlite3(-v13)? can not be loaded on Node v.*Cannot find module/,
    );
    await fails(child(139, '', ''), /can not be loaded/);
    await fails(child(0, '{"answer": 41}', ''), /answers wrongly/);
  },
);

sabotage(validateScheduler, 'modules.parser', 'a parser without its native part', async (fails) => {
  await fails({ ...proof, packageRoot: '/nonexistent' }, /oxc-parser can not be loaded/);
  await fails(child(0, '{"statements": 0}', ''), /answers wrongly/);
});

sabotage(
  validateScheduler,
  'patterns.cron',
  'an engine that starts the week on Sunday, is an hour late or forgets one',
  async (fails) => {
    await fails(
      wrongly(/^0 9 \* \* 1$/, later(-24)),
      /1 of 10 answers are wrong: weekly gave 2026-11-29T09:00:00Z/,
    );
    await fails(wrongly(/^@yearly$/, later(1)), /yearly gave 2027-01-01T01:00:00Z/);
    await fails(wrongly(/./, withoutFirst), /10 of 10 answers are wrong/);
  },
);

sabotage(
  validateScheduler,
  'patterns.rrule',
  'a rule that ignores COUNT, and one that takes EXDATE for nothing',
  async (fails) => {
    await fails(
      wrongly(/COUNT/, (answers) => [...answers, '2026-11-26T09:00:00Z']),
      /as often as COUNT says/,
    );
    await fails(
      wrongly(/EXDATE/, (answers) => ['2026-11-25T09:00:00Z', ...answers.slice(0, 2)]),
      /EXDATE/,
    );
  },
);

sabotage(
  validateScheduler,
  'patterns.once',
  'an engine that reads local time as UTC, or fires what is past',
  async (fails) => {
    await fails(
      wrongly(({ tzid }) => tzid === 'Asia/Tokyo', later(9)),
      /as local time of its zone gave 2026-12-24T18:00:00Z/,
    );
    await fails(
      wrongly(/^2026-11-24/, () => ['2026-11-24T12:00:00Z']),
      /never after it/,
    );
  },
);

sabotage(validateScheduler, 'patterns.business-days', 'an engine that knows no holidays', async (fails) => {
  const { nextOccurrences } = proof.engine;
  const broken: SchedulerProof['engine']['nextOccurrences'] = (query) => {
    const { businessDays, ...rest } = query;
    return nextOccurrences(businessDays === undefined ? query : rest);
  };
  await fails(
    { ...proof, engine: { ...proof.engine, nextOccurrences: broken } },
    /4 of 4 answers are wrong: to the next working day gave 2027-01-01/,
  );
});

sabotage(
  validateScheduler,
  'patterns.leap-years',
  'an engine that takes 2100 for a leap year',
  async (fails) => {
    await fails(
      wrongly(
        ({ after }) => String(after).startsWith('2096'),
        () => ['2100-02-29T00:00:00Z'],
      ),
      /over the year 2100/,
    );
  },
);

sabotage(
  validateScheduler,
  'patterns.second-opinion',
  'two engines that differ in one instant',
  async (fails) => {
    const secondOpinion: SchedulerProof['engine']['secondOpinion'] = async (expr, tzid, after, count) => {
      const instants = await proof.engine.secondOpinion(expr, tzid, after, count);
      return tzid === 'Europe/Berlin'
        ? instants.map((one, index) => (index === 39 ? one + 1000 : one))
        : instants;
    };
    await fails(
      { ...proof, engine: { ...proof.engine, secondOpinion } },
      /"30 8 \* \* 1-5" in Europe\/Berlin: pao says/,
    );
  },
);

sabotage(
  validateScheduler,
  'zones.database',
  'a Node with a handful of zones, and one that does not say which',
  async (fails) => {
    await fails(
      { ...proof, zones: { ...proof.zones, names: () => ['UTC', 'Europe/Chisinau'] } },
      /has 2 time zones, without America\/New_York/,
    );
    await fails({ ...proof, zones: { ...proof.zones, version: () => 'unknown' } }, /is not known/, {
      status: 'warned',
    });
  },
);

sabotage(validateScheduler, 'zones.gap', 'an engine that loses what falls into the gap', async (fails) => {
  await fails(
    wrongly(({ after }) => String(after).startsWith('2027-03-13'), withoutFirst),
    /02:30 in New York, moved by the hour/,
  );
});

sabotage(validateScheduler, 'zones.fold', 'an engine that fires twice in the fold', async (fails) => {
  const twice = (answers: string[]) =>
    ['2026-11-01T05:30:00Z', '2026-11-01T06:30:00Z', ...answers].slice(0, 2);
  await fails(
    wrongly(({ dst, kind }) => kind === 'rrule' && dst === undefined, twice),
    /01:30 in New York, the first time/,
  );
});

sabotage(
  validateScheduler,
  'zones.half-hour',
  'an engine that takes every change for an hour',
  async (fails) => {
    await fails(
      wrongly(
        ({ after }) => String(after).startsWith('2027-10'),
        (answers) => ['2027-10-02T16:15:00Z', ...answers.slice(1)],
      ),
      /Lord Howe/,
    );
  },
);

sabotage(
  validateScheduler,
  'zones.date-line',
  'an engine that fires twice where a day is left out',
  async (fails) => {
    await fails(
      wrongly(/./, (answers) => [answers[0], answers[1], answers[1]] as string[]),
      /in Apia/,
    );
  },
);

sabotage(
  validateScheduler,
  'decisions.once',
  'a second row of one occurrence, and one that is lost',
  async (fails) => {
    await fails(
      tampered((rows) => [rows[0], ...rows] as LedgerRow[]),
      /the ledger says 01:00 queued schedule, 01:00 queued schedule/,
    );
    await fails(
      tampered((rows) => rows.slice(1)),
      /expected 01:00 queued schedule, 02:00 skipped overlap/,
    );
  },
);

sabotage(
  validateScheduler,
  'decisions.catch-up',
  'a scheduler that forgets what it missed, and one that runs it all',
  async (fails) => {
    await fails(
      tampered((rows) => rows.filter(({ status }) => status !== 'missed')),
      /latest within 3h: the ledger says 05:00 queued/,
    );
    await fails(
      tampered((rows) => rows.map((row) => ({ ...row, status: 'queued', reason: null }))),
      /expected 01:00 missed catchup_window/,
    );
  },
);

sabotage(
  validateScheduler,
  'decisions.overlap',
  'a scheduler that lets everything through, and one that cancels nothing',
  async (fails) => {
    await fails(
      tampered((rows) =>
        rows.map((row) => (row.status === 'skipped' ? { ...row, status: 'queued', reason: null } : row)),
      ),
      /skip: the ledger says/,
    );
    const deaf: SchedulerProof = {
      ...proof,
      simulate: async (options) => ({ ...(await proof.simulate(options)), canceling: () => [] }),
    };
    await fails(deaf, /was not asked to stop/);
  },
);

sabotage(
  validateScheduler,
  'refusals.messages',
  'an engine that takes everything, and one that does not say why not',
  async (fails) => {
    const { validate } = proof.engine;
    const taking: SchedulerProof['engine']['validate'] = (spec, options) =>
      spec.expr === '0 24 * * *'
        ? { ...validate(spec, options), valid: true, problems: [] }
        : validate(spec, options);
    await fails(
      { ...proof, engine: { ...proof.engine, validate: taking } },
      /"0 24 \* \* \*" is taken; 1 of \d+ are wrong/,
    );
    const silent: SchedulerProof['engine']['validate'] = (spec, options) => {
      const verdict = validate(spec, options);
      return { ...verdict, problems: verdict.problems.map((one) => ({ ...one, message: 'invalid' })) };
    };
    await fails(
      { ...proof, engine: { ...proof.engine, validate: silent } },
      /is refused without the reason: "invalid"/,
    );
  },
);

sabotage(
  validateScheduler,
  'speed.next',
  'an engine that counts from the start of the rule',
  async (fails) => {
    // Each answer takes 50 ms of this clock: no machine has to be slow for it.
    const clock = new VirtualClock('2026-11-24T00:00:00Z');
    const compile: SchedulerProof['engine']['compile'] = (spec) => {
      const recurrence = proof.engine.compile(spec);
      return Object.assign(Object.create(recurrence) as typeof recurrence, {
        next(after: number) {
          clock.advance(50);
          return recurrence.next(after);
        },
      });
    };
    await fails(
      { ...proof, clock, engine: { ...proof.engine, compile } },
      /Only 20 a second for "weekday 08:30, 2 years old"/,
    );
  },
);
