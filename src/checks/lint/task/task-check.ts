import { CHANNEL_PREFIX } from '../../../domain/channel.js';
import { nearest } from '../../../domain/nearest.js';
import type { Problem } from '../../../domain/errors.js';
import { checkNotices, validatePipeline } from '../../../domain/pipeline/index.js';
import { problemsFromZod } from '../../../domain/problems-from-zod.js';
import { taskSpecSchema } from '../../../domain/task.js';
import type { Edit } from '../finding.js';
import type { TaskRule, Tell } from '../rule.js';
import type { TaskDocument, TaskFile } from '../task-file.js';

const isUnknownKey = ({ message }: Problem): boolean => message.startsWith('unknown key ');
/** How the check of the pipeline words that a path of an expression leads nowhere. */
const isReference = ({ message }: Problem): boolean =>
  /^\S+ does not exist|^there is no step |^\S+ is the output of this step itself|^\S+ is missing: /.test(
    message,
  );

/** What the server would refuse when the task is handed in, but keys and references, which have rules of their own. */
export const taskSchema: TaskRule = {
  id: 'task-schema',
  title: 'A task is what the server takes',
  kind: 'task',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    const names = new Map<unknown, TaskDocument>();
    for (const task of file.tasks) {
      for (const problem of schemaProblems(task)) {
        if (!isUnknownKey(problem)) say(problem, task, tell);
      }
      for (const problem of pipelineProblems(task, file)) {
        if (!isReference(problem)) say(problem, task, tell);
      }
      const first = names.get(task.raw['name']);
      if (first === undefined) names.set(task.raw['name'], task);
      else if (task.raw['name'] !== undefined) {
        const { line } = file.source.position(first.span('/name').start);
        tell(
          task.span('/name'),
          `a task of this name is there already, in line ${line}: it would be undone by this one`,
        );
      }
    }
  },
};

/** A key that nobody knows is a setting that does nothing. */
export const unknownKey: TaskRule = {
  id: 'unknown-key',
  title: 'Every key of a task is one that pao knows',
  kind: 'task',
  severity: 'error',
  fixable: true,
  check(file, tell) {
    for (const task of file.tasks) {
      for (const problem of schemaProblems(task)) {
        if (isUnknownKey(problem)) say(problem, task, tell, renameFix(problem, task, file));
      }
    }
  },
};

/** A template can only read what is there when its step runs. */
export const unknownReference: TaskRule = {
  id: 'unknown-reference',
  title: 'Templates refer to what exists by then',
  kind: 'task',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    for (const task of file.tasks) {
      for (const problem of pipelineProblems(task, file)) {
        if (isReference(problem)) say(problem, task, tell);
      }
    }
  },
};

function say(problem: Problem, task: TaskDocument, tell: Tell, fix?: Edit[]): void {
  tell(task.span(problem.pointer), `${problem.pointer || '/'} ${problem.message}`, {
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...(fix === undefined ? {} : { fix }),
  });
}

function schemaProblems({ error, raw, datesProblem }: TaskDocument): Problem[] {
  // What can not be read stays in the task, where it is a key that nobody knows.
  if (datesProblem !== null) return [datesProblem];
  return error === null ? [] : problemsFromZod(error, raw, taskSpecSchema);
}

function pipelineProblems({ spec }: TaskDocument, { tools }: TaskFile): Problem[] {
  if (spec === null) return [];
  const used = [CHANNEL_PREFIX, ...spec.pipeline.flatMap(({ uses }) => (uses === undefined ? [] : [uses]))];
  const context = {
    findTool: (address: string) => {
      const known = tools.find(address);
      if (known !== null) return { input_schema: known.inputSchema };
      // A tool of a group that is known, one letter off, is a typing mistake; any other may be on the server.
      return nearest(address, tools.inGroupOf(address)) === null ? { input_schema: {} } : null;
    },
    toolAddresses: () => used.flatMap((address) => tools.inGroupOf(address)),
    mayUse: () => true,
    params: spec.params,
    zone: spec.schedule?.timezone ?? 'UTC',
  };
  return [...validatePipeline(spec.pipeline, context), ...checkNotices(spec, context)];
}

/** Renames the key where only one is meant; the file is refused as it is, so that nothing can get worse. */
function renameFix({ pointer, hint }: Problem, task: TaskDocument, file: TaskFile): Edit[] | undefined {
  const meant = /^Did you mean "(\w+)"\?$/.exec(hint ?? '')?.[1];
  const parts = pointer.split('/');
  const key = parts.at(-1) as string;
  const { start, end } = task.span(pointer);
  const written = file.source.text.slice(start, end);
  const holder = parts
    .slice(1, -1)
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part], task.raw);
  const isTaken = typeof holder !== 'object' || holder === null || (meant !== undefined && meant in holder);
  if (meant === undefined || isTaken || written.replace(/^(["'])(.*)\1$/, '$2') !== key) return undefined;
  return [{ start, end, text: written.replace(key, meant) }];
}
