import { PaoError, type Problem } from '../../domain/errors.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import {
  catalogFileSchema,
  type OpenapiImport,
  type ServerImport,
  type Tool,
  type ToolInput,
  toolSchema,
} from '../../domain/tool.js';
import { catalogSchemaProblems, schemaProblems } from '../../domain/tool-schemas.js';
import { ToolError } from '../../domain/tool-error.js';
import { parseYamlDocuments } from '../../domain/yaml-position.js';
import { connectorProblems } from './check-connector.js';
import { openapiTools } from './openapi-import.js';
import type { DiscoveredTool } from './mcp-tool.js';
import type { ToolCallers } from './tool-callers.js';
import { toToolName } from './tool-name.js';

/** What an import needs from outside. */
export type ImportSources = Pick<ToolCallers, 'discover' | 'fetchText'>;

/** The tools of a catalog, complete and checked; what could not be taken is a problem. */
export interface ImportedCatalog {
  tools: Tool[];
  problems: Problem[];
}

/**
 * Reads a catalog document: tools written out, all tools of MCP servers, all operations of OpenAPI documents.
 * `file` of an OpenAPI source is not read here: the command line puts the document in its place.
 * @returns all problems with JSON Pointers into the document; nothing is thrown for what it says or where it leads.
 */
export async function importCatalog(document: unknown, sources: ImportSources): Promise<ImportedCatalog> {
  const parsed = catalogFileSchema.safeParse(document);
  if (!parsed.success) {
    const faults = problemsFromZod(parsed.error, document, catalogFileSchema);
    return { tools: [], problems: [...faults, ...catalogSchemaProblems(document)] };
  }
  const catalog = parsed.data;
  const found: { pointer: string; tool: ToolInput }[] = [];
  const problems: Problem[] = [];
  for (const [index, tool] of (catalog.tools ?? []).entries())
    found.push({ pointer: `/tools/${index}`, tool });

  const remote = [
    ...(catalog.servers ?? []).map((server, index) => ({
      pointer: `/servers/${index}`,
      read: () => serverTools(server, `/servers/${index}`, sources),
    })),
    ...(catalog.openapi ?? []).map((source, index) => ({
      pointer: `/openapi/${index}`,
      read: () => openapiSource(source, `/openapi/${index}`, sources),
    })),
  ];
  for (const result of await Promise.all(
    remote.map(async ({ pointer, read }) => ({ pointer, ...(await guarded(pointer, read)) })),
  )) {
    problems.push(...result.problems);
    for (const tool of result.tools) found.push({ pointer: result.pointer, tool });
  }
  return complete(found, problems);
}

interface Found {
  tools: ToolInput[];
  problems: Problem[];
}

async function guarded(pointer: string, read: () => Promise<Found>): Promise<Found> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { tools: [], problems: [{ pointer, message: error.message }] };
  }
}

function complete(found: { pointer: string; tool: ToolInput }[], problems: Problem[]): ImportedCatalog {
  const tools = new Map<string, Tool>();
  for (const { pointer, tool } of found) {
    const parsed = toolSchema.safeParse(tool);
    const own: Problem[] = [];
    if (!parsed.success) {
      own.push(...problemsFromZod(parsed.error));
    } else {
      own.push(...schemaProblems(parsed.data), ...connectorProblems(parsed.data));
      if (tools.has(parsed.data.address))
        own.push({ pointer: '/address', message: 'is there twice in this catalog' });
      else if (own.length === 0) tools.set(parsed.data.address, parsed.data);
    }
    const written = pointer.startsWith('/tools/');
    for (const one of own) {
      problems.push(
        written
          ? { ...one, pointer: pointer + one.pointer }
          : { ...one, pointer, message: `${tool.address} is not imported: ${one.pointer} ${one.message}` },
      );
    }
  }
  return { tools: [...tools.values()].sort((a, b) => (a.address < b.address ? -1 : 1)), problems };
}

async function serverTools(server: ServerImport, pointer: string, sources: ImportSources): Promise<Found> {
  const discovered = await sources.discover(server);
  const known = new Set(discovered.map((tool) => tool.name));
  const problems = Object.keys(server.side_effect ?? {})
    .filter((name) => !known.has(name))
    .map((name) => ({ pointer: `${pointer}/side_effect/${name}`, message: 'is not a tool of this server' }));
  return { tools: discovered.map((tool) => serverTool(server, tool)), problems };
}

function serverTool(server: ServerImport, remote: DiscoveredTool): ToolInput {
  const { era, timeout, grants, run_token, side_effect: overrides, ...reach } = server;
  const title = remote.title ?? remote.annotations?.title;
  return {
    address: `${server.name}.${toToolName(remote.name)}`,
    ...(title === undefined ? {} : { title: title.slice(0, 200) }),
    ...(remote.description === undefined ? {} : { description: remote.description.slice(0, 4000) }),
    kind: 'mcp',
    input_schema: remote.inputSchema as Record<string, unknown>,
    ...(remote.outputSchema === undefined
      ? {}
      : { output_schema: remote.outputSchema as Record<string, unknown> }),
    side_effect: overrides?.[remote.name] ?? sideEffectOf(remote),
    ...(timeout === undefined ? {} : { timeout }),
    ...(grants === undefined ? {} : { grants }),
    mcp: {
      server: reach,
      tool: remote.name,
      ...(era === undefined ? {} : { era }),
      ...(run_token === undefined ? {} : { run_token }),
    },
  };
}

/** The hints of a server are only hints, but they err on the safe side: what says nothing is `once`. */
function sideEffectOf(remote: DiscoveredTool): 'read' | 'idempotent' | 'once' {
  if (remote.annotations?.readOnlyHint) return 'read';
  return remote.annotations?.idempotentHint ? 'idempotent' : 'once';
}

async function openapiSource(source: OpenapiImport, pointer: string, sources: ImportSources): Promise<Found> {
  if (source.document !== undefined) return openapiTools(source, source.document, pointer);
  if (source.url === undefined) {
    const message = 'is a path on the machine where the command runs; send the document itself instead';
    return { tools: [], problems: [{ pointer: `${pointer}/file`, message }] };
  }
  const text = await sources.fetchText(source.url, source.grants ?? [], source.headers ?? {});
  try {
    const [first] = await parseYamlDocuments(text, source.url, {
      maxBytes: 5 * 1024 * 1024,
      maxDepth: 64,
      maxValues: 500_000,
    });
    return openapiTools(source, first?.value, pointer, source.url);
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    return {
      tools: [],
      problems: [{ pointer: `${pointer}/url`, message: `the document cannot be read: ${error.message}` }],
    };
  }
}
