import { readFile } from 'node:fs/promises';
import { EXIT, PaoError } from '../../domain/errors.js';
import { zoneHint } from '../../domain/nearest-zone.js';
import { isTimeZone, type RecurrenceSpec } from '../../domain/recurrence/index.js';
import { anchored, isTimed, specOfSchedule } from '../../domain/recurrence-of.js';
import type { Config } from '../../server/config.js';
import { type Check, CheckFailure, type Suite } from '../check.js';
import type { Report } from '../lint/finding.js';
import { namedFiles } from '../lint/find-files.js';
import { toReport } from '../lint/rule.js';
import { scheduleInvalid } from '../lint/task/schedule-rules.js';
import { taskSchema, unknownKey } from '../lint/task/task-check.js';
import { readTaskFile, type TaskDocument, type TaskFile } from '../lint/task-file.js';
import { ToolKnowledge } from '../lint/tool-knowledge.js';
import { kindOf, verdictOf } from './verdict.js';

/** Expressions and files that a person wants to know about. */
export interface GivenSchedules {
  expressions: readonly string[];
  files: readonly string[];
  timezone: string;
  /** Nobody said which zone: it was taken for granted. */
  assumedZone: boolean;
  dtstart: string | undefined;
  count: number;
  now: number;
  cwd: string;
  /** Of `pao.config.yaml`. */
  channels: Config['channels'];
}

/**
 * A suite with one check for each expression, and for each task of each file.
 * @throws PaoError exit 2 for a zone or file that is not there, a start without a rule, an expression without quotes.
 */
export async function givenSchedules(given: GivenSchedules): Promise<Suite<null>> {
  checkUsage(given);
  const checks = given.expressions.map((expr, index) => expressionCheck(expr, index + 1, given));
  for (const { path } of namedFiles(given.files, given.cwd)) {
    const file = await readTaskFile(
      path,
      await readFile(path, 'utf8'),
      new ToolKnowledge(given.channels),
      true,
    );
    const shown = given.files.find((one) => path.endsWith(one)) ?? path;
    checks.push(...fileChecks(file, shown, given));
  }
  return {
    id: 'validate-scheduler',
    title: 'These schedules can be',
    command: 'pao validate scheduler',
    checks,
    setUp: async () => ({
      context: null,
      target: { url: null, store: 'none', bus: 'none', ephemeral: false },
      has: new Set(),
      dispose: async () => {},
    }),
  };
}

function checkUsage({ expressions, timezone, dtstart }: GivenSchedules): void {
  const isZone: boolean = isTimeZone(timezone);
  if (!isZone) {
    throw new PaoError('PAO_TIME_ZONE', `"${timezone.slice(0, 64)}" is not a time zone.`, {
      exitCode: EXIT.usage,
      hints: [zoneHint(timezone)],
    });
  }
  // `pao validate scheduler 0 9 * * 1-5`: the shell has taken it apart, and put file names in for the stars.
  if (expressions.length >= 5 && expressions.slice(0, 2).every((one) => /^[0-9*][0-9*/,-]*$/.test(one))) {
    throw new PaoError('PAO_USAGE', 'The expression must stand in quotes, or the shell takes it apart.', {
      exitCode: EXIT.usage,
      hints: ['pao validate scheduler "0 9 * * 1-5"'],
    });
  }
  if (dtstart !== undefined && !expressions.some((expr) => kindOf(expr) === 'rrule')) {
    throw new PaoError(
      'PAO_USAGE',
      '--dtstart is where a rule (FREQ=…) is counted from, and there is none.',
      {
        exitCode: EXIT.usage,
        hints: ['pao validate scheduler "FREQ=DAILY;INTERVAL=2" --dtstart 2026-11-24T09:00:00'],
      },
    );
  }
}

function expressionCheck(expr: string, number: number, given: GivenSchedules): Check<null> {
  const kind = kindOf(expr);
  const spec: RecurrenceSpec = {
    kind,
    expr,
    tzid: given.timezone,
    ...(kind === 'rrule' && given.dtstart !== undefined ? { dtstart: given.dtstart } : {}),
  };
  return {
    id: `expression.${number}`,
    title: expr,
    group: 'Expressions',
    run: () => verdictOf(spec, given),
  };
}

function fileChecks(file: TaskFile, shown: string, given: GivenSchedules): Check<null>[] {
  const reports: Report[] = [];
  for (const rule of [taskSchema, unknownKey, scheduleInvalid])
    rule.check(file, toReport(rule.id, reports), given.now);
  if (file.error !== null)
    reports.push({ rule: 'syntax', ...file.error, hint: file.error.hint ?? `pao lint-scheduler ${shown}` });
  if (file.error !== null || file.tasks.length === 0) {
    const nothing: Report = {
      rule: 'syntax',
      message: 'There is no task in this file',
      hint: 'pao init briefing writes an example',
      start: 0,
      end: 1,
    };
    return [fileCheck(shown, shown, shown, file, reports.length > 0 ? reports : [nothing], null, given)];
  }
  return file.tasks.map((task, index) => {
    const from = task.span('').start;
    const to = file.tasks[index + 1]?.span('').start ?? Number.POSITIVE_INFINITY;
    const own = reports.filter(({ start }) => start >= from && start < to);
    const name = typeof task.raw['name'] === 'string' ? task.raw['name'] : `task ${index + 1}`;
    return fileCheck(`${shown}.${index + 1}`, shown, `${name} (${shown})`, file, own, task, given);
  });
}

function fileCheck(
  id: string,
  shown: string,
  title: string,
  file: TaskFile,
  reports: readonly Report[],
  task: TaskDocument | null,
  given: GivenSchedules,
): Check<null> {
  const place = (offset: number): string => {
    const { line, column } = file.source.position(offset);
    return `${shown}:${line}:${column}`;
  };
  return {
    id,
    title,
    group: 'Tasks',
    run: async () => {
      const [first] = reports;
      if (first !== undefined) {
        const lines = reports.map(({ start, message }) => `${place(start)} ${message}`);
        throw new CheckFailure(lines.join('\n'), first.hint ?? `pao lint-scheduler ${shown}`, {
          problems: lines,
        });
      }
      const schedule = task?.spec?.schedule;
      if (!isTimed(schedule))
        return { kind: schedule?.kind ?? 'none', words: wordsWithout(schedule), next: [], warnings: [] };
      const spec = specOfSchedule(anchored(schedule, undefined, given.now));
      try {
        return await verdictOf(spec, { ...given, assumedZone: false });
      } catch (error) {
        // Where it is written is what a person needs to mend it.
        if (error instanceof CheckFailure && task !== null)
          error.message = `${place(task.span('/schedule/expr').start)} ${error.message}`;
        throw error;
      }
    },
  };
}

function wordsWithout(schedule: { kind: string } | undefined): string {
  return schedule === undefined ? 'runs when it is asked to' : `fires by ${schedule.kind}, at no fixed times`;
}
