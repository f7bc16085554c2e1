import type { OccurrencesQuery } from '../../domain/recurrence/index.js';
import { type Check, CheckFailure, type Evidence } from '../check.js';
import type { SchedulerProof } from './proof.js';

/** A question with its right answer, worked out from a calendar and not by the engine. */
export interface KnownAnswer {
  what: string;
  ask: OccurrencesQuery;
  /** `2026-11-25T06:30Z`, each one that comes; fewer than asked for when there are no more. */
  answer: readonly string[];
}

/** A check that the engine gives the right answer to every question. */
export function knownAnswers(
  check: Pick<Check<SchedulerProof>, 'id' | 'title' | 'group'>,
  questions: readonly KnownAnswer[],
): Check<SchedulerProof> {
  return {
    ...check,
    run: async ({ engine, zones }) => {
      const wrong: Evidence[] = [];
      for (const { what, ask, answer } of questions) {
        const got = answerOf(() => engine.nextOccurrences({ count: Math.max(1, answer.length), ...ask }));
        const wanted = answer.map((instant) => instant.replace(/^(.{16})Z$/, '$1:00Z'));
        if (got.join() !== wanted.join())
          wrong.push({ what, expr: ask.expr, timezone: ask.tzid, got, wanted });
      }
      const [first] = wrong;
      if (first === undefined) return { questions: questions.length, timezone_database: zones.version() };
      throw new CheckFailure(
        `${wrong.length} of ${questions.length} answers are wrong: ${String(first['what'])} gave ${(first['got'] as string[]).join(', ') || 'nothing'}, expected ${(first['wanted'] as string[]).join(', ') || 'nothing'}.`,
        'npm install pao@latest, then pao validate scheduler --verbose; a wrong time zone comes with Node: node -p process.versions.tz',
        { wrong },
      );
    },
  };
}

function answerOf(ask: () => string[]): string[] {
  try {
    return ask();
  } catch (error) {
    return [`an error: ${error instanceof Error ? error.message : String(error)}`];
  }
}
