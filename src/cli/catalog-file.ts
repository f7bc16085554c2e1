import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { EXIT, invalidInput, PaoError, type Problem } from '../domain/errors.js';
import { parseYamlDocuments, type YamlDocument } from '../domain/json.js';
import { problemsFromZod } from '../domain/problems-from-zod.js';
import { catalogFileSchema } from '../domain/tool.js';
import type { ShownProblem } from './describe-error.js';
import { type InputSource, readTextInput } from './json-input.js';

// An OpenAPI document is long; the API takes this much.
const LIMITS = { maxBytes: 5 * 1024 * 1024, maxDepth: 64, maxValues: 500_000 };
const SCRIPT = /\.([cm]?[jt]s|py|rb|pl|php|sh)$/;

/** A catalog that was read and is ready to be sent. */
export interface LoadedCatalog {
  /** Its name, for messages. */
  file: string;
  /** The catalog; OpenAPI files are in it, and paths are absolute. */
  document: unknown;
  /** Adds line and column of the file to problems the server found. */
  withLines(problems: readonly Problem[]): ShownProblem[];
}

/**
 * Reads a catalog file (YAML or JSON; `-` is stdin) and checks it.
 * `file`, `cwd` and the paths of stdio servers mean the folder of the file; for stdin, the current one.
 * @throws PaoError with every problem, its pointer, line and column.
 */
export async function loadCatalog(path: string, source: InputSource): Promise<LoadedCatalog> {
  const file = path === '-' ? 'stdin' : path;
  const folder = path === '-' ? source.cwd : dirname(resolve(source.cwd, path));
  const documents = await parseYamlDocuments(await readTextInput(path, source), file, LIMITS);
  const [written] = documents;
  if (written === undefined || documents.length > 1) {
    const found = written === undefined ? 'holds nothing' : `holds ${documents.length} documents`;
    throw new PaoError('PAO_CATALOG_INVALID', `${file} ${found}; a catalog is one document.`, {
      exitCode: EXIT.usage,
      hints: ['A catalog has the keys tools, servers and openapi; pao init briefing writes one'],
    });
  }
  const withLines = (problems: readonly Problem[]) => problems.map((problem) => located(problem, written));
  const checked = catalogFileSchema.safeParse(written.value);
  if (!checked.success) {
    const faults = problemsFromZod(checked.error, written.value, catalogFileSchema);
    throw await notTaken(`${file} is not a catalog of tools.`, faults);
  }
  const document = withAbsolutePaths(written.value as Catalog, folder);
  const missing = await takeInFiles(document, source);
  if (missing.length > 0) throw await notTaken(`${file} names files that cannot be read.`, missing);
  return { file, document, withLines };

  /** With what the server would find after these are mended. */
  async function notTaken(message: string, faults: Problem[]): Promise<PaoError> {
    const { catalogSchemaProblems } = await import('../domain/tool-schemas.js');
    return invalidInput(message, withLines([...faults, ...catalogSchemaProblems(written?.value)]));
  }
}

/** The API may name the body a document is in; the file has no such level. */
function located(problem: Problem, written: YamlDocument): ShownProblem {
  const pointer = problem.pointer.replace(/^\/document(?=\/|$)/, '');
  return { ...problem, pointer, ...written.locate(pointer) };
}

/** What was checked against the schema, as far as paths are in it. */
interface Catalog {
  tools?: { mcp?: { server: Reach } }[];
  servers?: Reach[];
  openapi?: { file?: string; document?: unknown }[];
}

interface Reach {
  transport: string;
  command?: string;
  args?: string[];
  cwd?: string;
}

function withAbsolutePaths(written: Catalog, folder: string): Catalog {
  const catalog = structuredClone(written);
  for (const server of catalog.servers ?? []) resolvePaths(server, folder);
  for (const tool of catalog.tools ?? []) if (tool.mcp) resolvePaths(tool.mcp.server, folder);
  for (const source of catalog.openapi ?? []) {
    if (source.file !== undefined) source.file = resolve(folder, source.file);
  }
  return catalog;
}

function resolvePaths(server: Reach, folder: string): void {
  if (server.transport !== 'stdio') return;
  // With a folder of its own, the server finds its paths from there.
  if (server.cwd !== undefined) {
    server.cwd = resolve(folder, server.cwd);
    return;
  }
  const absolute = (text: string) => (isPath(text, folder) ? resolve(folder, text) : text);
  if (server.command !== undefined) server.command = absolute(server.command);
  if (server.args !== undefined) server.args = server.args.map(absolute);
}

/** `./server`, `../server`, or a script that is there: `npx` and the name of a package are left as they are. */
function isPath(text: string, folder: string): boolean {
  if (isAbsolute(text)) return false;
  if (/^\.{1,2}[\\/]/.test(text)) return true;
  return SCRIPT.test(text) && existsSync(resolve(folder, text));
}

/** Puts OpenAPI files in place of their paths: the server may be on another machine. */
async function takeInFiles(catalog: Catalog, source: InputSource): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [index, entry] of (catalog.openapi ?? []).entries()) {
    if (entry.file === undefined) continue;
    try {
      const [first] = await parseYamlDocuments(await readTextInput(entry.file, source), entry.file, LIMITS);
      entry.document = first?.value ?? {};
      delete entry.file;
    } catch (error) {
      if (!(error instanceof PaoError)) throw error;
      problems.push({ pointer: `/openapi/${index}/file`, message: error.message });
    }
  }
  return problems;
}
