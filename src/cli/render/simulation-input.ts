import { tryParseDuration } from '../../domain/duration.js';
import { invalidInput } from '../../domain/errors.js';
import { parseYamlDocuments } from '../../domain/json.js';
import type { SimulatedRequest, SpentDay } from '../../server/simulate/simulation.js';
import type { CliProcess } from '../cli-config.js';
import { readTextInput } from '../json-input.js';
import { readTaskDocuments, withFilePositions } from './task-documents.js';

/** A task before its schedule is read, with what is known of its runs. */
export interface TaskToSimulate {
  id?: string;
  /** The name of its agent. */
  agent?: string | undefined;
  input: unknown;
  /** Skipped or snoozed before this instant, epoch milliseconds. */
  snoozedUntil?: number;
  /** The median of its newest runs, milliseconds. */
  historyMs?: number;
  /** What its steps answered in the newest run that came through, by step id. */
  outputs: Record<string, unknown>;
  /** Its steps that ask models, where a system estimated them. */
  requests?: SimulatedRequest[];
  spentToday?: SpentDay;
  /** Adds the place in its file to an error. */
  located(error: unknown): unknown;
}

/** The tasks of files. */
export async function tasksOfFiles(files: readonly string[], process: CliProcess): Promise<TaskToSimulate[]> {
  const documents = await readTaskDocuments(files, process);
  return documents.map((document) => ({
    input: document.task,
    outputs: {},
    located: (error) => withFilePositions(error, document),
  }));
}

/** `--duration 5m` for all, `--duration NAME=5m` for one. @throws PaoError exit 2 when it is neither. */
export function readDurations(texts: readonly string[]): (name: string) => number | undefined {
  const byName = new Map<string, number>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const duration = tryParseDuration(text.slice(at + 1));
    if (duration === null)
      throw invalidInput(
        `--duration ${text.slice(0, 60)} is no duration.`,
        [],
        ['--duration 5m', '--duration NAME=5m'],
      );
    byName.set(text.slice(0, Math.max(at, 0)), duration);
  }
  return (name) => byName.get(name) ?? byName.get('');
}

/** What tools answer, from a YAML or JSON file: addresses of tools or ids of steps, and an output for each. */
export async function readMocks(
  path: string | undefined,
  process: CliProcess,
): Promise<Record<string, unknown>> {
  if (path === undefined) return {};
  const value = await readOneDocument(path, process);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalidInput(
    `${path} is not one list of answers.`,
    [],
    ['weather.forecast: { current: { temperature: 4 } }'],
  );
}

/** The one YAML or JSON document of a file; null when it holds none, or several. */
export async function readOneDocument(path: string, process: CliProcess): Promise<unknown> {
  const [document, second] = await parseYamlDocuments(await readTextInput(path, process), path);
  return second === undefined ? document?.value : null;
}
