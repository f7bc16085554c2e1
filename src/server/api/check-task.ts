import { hasScope, mayUseTool } from '../../domain/agent.js';
import { cut, EXIT, invalidInput, PaoError, type Problem } from '../../domain/errors.js';
import { canonicalJson } from '../../domain/json.js';
import { zoneHint } from '../../domain/nearest-zone.js';
import { checkNotices, pipelineSchema, validatePipeline } from '../../domain/pipeline/index.js';
import type { Pipeline } from '../../domain/pipeline/step.js';
import { evaluateCondition } from '../../domain/pipeline/template.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { anchored, isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { isTimeZone, type ScheduleWarning } from '../../domain/recurrence/index.js';
import { salvageTask } from '../../domain/salvage-task.js';
import type { Schedule } from '../../domain/schedule.js';
import { type Task, type TaskSpec, taskSpecSchema } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import { checkBudget } from './check-budget.js';
import { missingSecrets, missingTasks, secretsInCalls, unheardQuestions } from './check-references.js';
import type { ApiServices } from './operation.js';
import { typicalRunMs } from './run-durations.js';

/** What a task is checked against. */
export interface TaskCheck {
  /** What the task may do: that of its agent, or of the agent's token. */
  scopes: readonly string[];
  /** The task as it is now: what is used up may stay as it is. */
  previous?: Task | undefined;
  /** The name it must have. */
  name?: string;
  /** The agent it belongs to, where there is no previous one to tell. */
  agentId?: string;
}

/**
 * Reads and checks a task as a whole: every problem at once, with pointers. What its schema refuses is listed beside what
 * is wrong with the schedule, the tools, the templates and the scopes of the rest.
 * @throws PaoError 422 with all problems; 403 when only scopes are missing.
 */
export async function checkTask(
  input: unknown,
  services: ApiServices,
  check: TaskCheck,
): Promise<{ spec: TaskSpec; warnings: ScheduleWarning[] }> {
  const parsed = taskSpecSchema.safeParse(input);
  const written = parsed.success ? parsed.data : salvageTask(input);
  const problems: Problem[] = [];
  const { previous } = check;
  const runMs = previous === undefined ? undefined : await typicalRunMs(previous.id, services.store);
  const warnings = [...checkSchedule(written.schedule, services, problems, previous, runMs)];
  const tools = await loadTools(services);
  const { found, missing } = checkPipeline(
    { ...written, monitor: parsed.success ? parsed.data.monitor : undefined },
    tools,
    check.scopes,
  );
  problems.push(...found, ...secretsInCalls(written.pipeline));
  if (parsed.success) {
    const budget = await checkBudget(parsed.data, tools, services, previous?.agentId ?? check.agentId);
    problems.push(...budget.problems);
    warnings.push(...budget.warnings);
  }
  if (check.name !== undefined && (input as { name?: unknown } | null)?.name !== check.name)
    problems.unshift({ pointer: '/name', message: `must be ${check.name}, as in the path` });
  if (!parsed.success) {
    const faults = problemsFromZod(parsed.error, input, taskSpecSchema);
    const below = (pointer: string) =>
      faults.some((fault) => pointer === fault.pointer || pointer.startsWith(`${fault.pointer}/`));
    throw invalidInput('The task is not valid.', [
      ...faults,
      ...problems.filter(({ pointer }) => !below(pointer)),
    ]);
  }
  if (problems.length === 0) {
    const more = [
      await missingSecrets(parsed.data, services),
      await missingTasks(parsed.data, services, previous?.agentId ?? check.agentId),
      unheardQuestions(parsed.data, services),
    ];
    return { spec: parsed.data, warnings: [...warnings, ...more.flat()] };
  }
  const onlyScopes = problems.every(({ message, hint }) =>
    missing.some((scope) => `${message} ${hint ?? ''}`.includes(scope)),
  );
  if (onlyScopes) {
    throw new PaoError('PAO_FORBIDDEN', `The agent lacks the scope ${missing.join(', ')}.`, {
      exitCode: EXIT.forbidden,
      status: 403,
      problems,
      hints: [`Ask an operator for the scope ${missing.join(', ')}`],
    });
  }
  throw invalidInput('The task is not valid.', problems);
}

/** The pipeline, where notices go, and the observation of a condition, which is a step before it and is checked as one. */
function checkPipeline(
  written: {
    schedule?: Schedule | undefined;
    pipeline: Pipeline;
    params: Record<string, unknown> | null;
    monitor: TaskSpec['monitor'];
  },
  tools: ReadonlyMap<string, Tool>,
  scopes: readonly string[],
): { found: Problem[]; missing: string[] } {
  const missing = new Set<string>();
  const noted = (may: boolean, scope: string) => {
    if (!may) missing.add(scope);
    return may;
  };
  const context = {
    findTool: (address: string) => tools.get(address) ?? null,
    toolAddresses: () => [...tools.keys()],
    mayUse: (address: string) => noted(mayUseTool(scopes, address), `tool:${address}`),
    mayUseSecret: (name: string) => noted(hasScope(scopes, `secrets:use:${name}`), `secrets:use:${name}`),
    params: written.params,
    zone: written.schedule?.timezone ?? 'UTC',
  };
  const found = [...validatePipeline(written.pipeline, context), ...checkNotices(written, context)];
  if (written.schedule?.kind === 'condition') {
    const { uses, with: input } = written.schedule.check;
    const step = pipelineSchema.safeParse([
      { id: 'check', uses, ...(input === undefined ? {} : { with: input }) },
    ]);
    const own = step.success ? validatePipeline(step.data, context) : problemsFromZod(step.error);
    found.push(
      ...own.map((one) => ({
        ...one,
        pointer: one.pointer.replace(/^\/(pipeline\/)?0/, '/schedule/check'),
      })),
    );
  }
  return { found, missing: [...missing] };
}

function checkSchedule(
  schedule: Schedule | undefined,
  services: ApiServices,
  problems: Problem[],
  previous: Task | undefined,
  runMs: number | undefined,
): ScheduleWarning[] {
  const now = services.clock.now();
  if (schedule === undefined) return [];
  const { timezone } = schedule;
  if (!isTimeZone(timezone)) {
    problems.push({
      pointer: '/schedule/timezone',
      message: `"${cut(timezone, 40)}" is not a time zone`,
      hint: zoneHint(timezone),
    });
    // What else is wrong with it is told in the same answer.
    checkSchedule({ ...schedule, timezone: 'UTC' }, services, problems, previous, runMs);
    return [];
  }
  if (schedule.kind === 'event') {
    const { filter, key, absent } = schedule;
    if (filter !== undefined) checkExpression(filter, '/schedule/filter', problems);
    if (key !== undefined) checkExpression(key, '/schedule/key', problems);
    if (absent?.filter !== undefined) checkExpression(absent.filter, '/schedule/absent/filter', problems);
  }
  if (schedule.kind === 'condition') {
    checkExpression(schedule.when, '/schedule/when', problems);
    if (schedule.clear_when !== undefined)
      checkExpression(schedule.clear_when, '/schedule/clear_when', problems);
  }
  if (!isTimed(schedule)) return [];
  try {
    Object.assign(schedule, anchored(schedule, previous?.spec.schedule, now));
    const recurrence = recurrenceOf(schedule);
    if (recurrence.next(now) === null && !isSameSchedule(previous, schedule)) {
      problems.push({
        pointer: '/schedule/expr',
        message: schedule.kind === 'once' ? 'is in the past' : 'has no occurrence after now',
        hint: 'pao task next shows what a schedule means',
      });
    }
    return recurrence.warnings(now, runMs === undefined ? {} : { runMs });
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    const own = error.problems.map((problem) => ({ ...problem, pointer: `/schedule${problem.pointer}` }));
    problems.push(
      ...(own.length > 0
        ? own
        : [
            {
              pointer: '/schedule/expr',
              message: error.message,
              ...(error.hints[0] === undefined ? {} : { hint: error.hints[0] }),
            },
          ]),
    );
    return [];
  }
}

/** Whether a task has this very schedule already: one that is used up may stay as it is. */
function isSameSchedule(previous: Task | undefined, schedule: Schedule): boolean {
  return previous !== undefined && canonicalJson(previous.spec.schedule ?? null) === canonicalJson(schedule);
}

function checkExpression(text: string, pointer: string, problems: Problem[]): void {
  try {
    evaluateCondition(text, {}, { pointer });
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    // Run on nothing, an expression may miss values; only what can never be read is a problem here.
    if (error.code === 'PAO_TEMPLATE_SYNTAX') problems.push({ pointer, message: error.message });
  }
}

/** The whole catalog: what is stored and what is built in. */
export async function loadTools(services: ApiServices): Promise<Map<string, Tool>> {
  const tools = new Map(services.builtinTools.map((tool) => [tool.address, tool]));
  let cursor: string | undefined;
  do {
    const page = await services.store.listTools({ limit: 1000, cursor });
    for (const { tool } of page.items) tools.set(tool.address, tool);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return tools;
}
