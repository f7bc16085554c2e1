import { parseYamlDocuments, type YamlDocument, YamlSyntaxError } from '../../domain/yaml-position.js';
import { type TaskSpec, taskSpecSchema } from '../../domain/task.js';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { takeInDates } from '../../cli/render/task-documents.js';
import type { Problem } from '../../domain/errors.js';
import { SourceText } from './source-text.js';
import type { ToolKnowledge } from './tool-knowledge.js';

/** As many tasks as `pao task apply` takes in one file. */
const LIMITS = { maxBytes: 10 * 1024 * 1024, maxValues: 200_000 };

/** One document of a file that is, or claims to be, a task. */
export interface TaskDocument {
  /** As it is written. */
  raw: Record<string, unknown>;
  /** With defaults, keys that nobody knows left out; null when it is not valid even so. */
  spec: TaskSpec | null;
  /** What the schema says about it. */
  error: z.ZodError | null;
  /** What is wrong with the file of its holidays. */
  datesProblem: Problem | null;
  /** Where the value at a JSON Pointer is written, as offsets. */
  span(pointer: string): { start: number; end: number };
}

/** A YAML or JSON file, read. */
export interface TaskFile {
  path: string;
  source: SourceText;
  tasks: TaskDocument[];
  /** Documents that are no tasks: catalogs, settings, other people's files. */
  others: unknown[];
  /** Why it can not be read. */
  error: { message: string; hint: string | null; start: number; end: number } | null;
  tools: ToolKnowledge;
}

/**
 * Reads a file; one that can not be read is given back with its error.
 * @param isTasks every object in it that is no catalog is meant to be a task.
 */
export async function readTaskFile(
  path: string,
  text: string,
  tools: ToolKnowledge,
  isTasks = false,
): Promise<TaskFile> {
  const source = new SourceText(text);
  const file: TaskFile = { path, source, tasks: [], others: [], error: null, tools };
  let documents: YamlDocument[];
  try {
    documents = await parseYamlDocuments(text, path, LIMITS);
  } catch (error) {
    if (!(error instanceof YamlSyntaxError)) throw error;
    const start = source.offset(error.position.line, error.position.column);
    const message = error.message.replace(/^.*?:\d+:\d+: /, '');
    return { ...file, error: { message, hint: error.hints[0] ?? null, start, end: start + 1 } };
  }
  for (const document of documents) {
    if (looksLikeTask(document.value, isTasks))
      file.tasks.push(await readTask(document.value, document, file));
    else file.others.push(document.value);
  }
  return file;
}

/** Whether a document is meant to be a task: it has a pipeline, or a name and a schedule. */
function looksLikeTask(value: unknown, isTask: boolean): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'pipeline' in value || ('name' in value && 'schedule' in value) || (isTask && !isCatalog(value));
}

/** Whether a document is a catalog of tools. */
export function isCatalog(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    ('tools' in value || 'servers' in value || 'openapi' in value)
  );
}

async function readTask(
  raw: Record<string, unknown>,
  document: YamlDocument,
  { path, source }: TaskFile,
): Promise<TaskDocument> {
  // As `pao task apply` does it: the server gets the dates, not the file.
  const datesProblem = await takeInDates(raw, dirname(path));
  const parsed = taskSpecSchema.safeParse(raw);
  return {
    raw,
    spec: parsed.success ? parsed.data : withoutUnknownKeys(raw, parsed.error),
    error: parsed.success ? null : parsed.error,
    datesProblem,
    span: (pointer) => spanAt(document, pointer, source),
  };
}

/** The spec that is left when only keys are wrong: then everything else can be looked at as well. */
function withoutUnknownKeys(raw: Record<string, unknown>, error: z.ZodError): TaskSpec | null {
  const copy = structuredClone(raw);
  for (const issue of error.issues) {
    if (issue.code !== 'unrecognized_keys') return null;
    let holder: unknown = copy;
    for (const part of issue.path) holder = (holder as Record<PropertyKey, unknown>)[part];
    for (const key of issue.keys) delete (holder as Record<string, unknown>)[key];
  }
  const again = taskSpecSchema.safeParse(copy);
  return again.success ? again.data : null;
}

function spanAt(document: YamlDocument, pointer: string, source: SourceText): { start: number; end: number } {
  const { line, column } = document.locate(pointer, 'key');
  const start = source.offset(line, column);
  const word = /^("[^"\n]*"|'[^'\n]*'|[\w.$/-]+)/.exec(source.text.slice(start, start + 200));
  return { start, end: start + (word?.[0].length ?? 1) };
}
