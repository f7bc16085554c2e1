import type { Problem } from '../../domain/errors.js';
import type { OpenapiImport, SideEffect, ToolInput } from '../../domain/tool.js';
import { toToolName } from './tool-name.js';
import { convertSchema, type Fields, fieldsOf, OpenapiSchemas, OperationError } from './openapi-schema.js';

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const;
const SIDE_EFFECTS: Record<(typeof METHODS)[number], SideEffect> = {
  get: 'read',
  head: 'read',
  put: 'idempotent',
  delete: 'idempotent',
  post: 'once',
  patch: 'once',
};
/** Header parameters that OpenAPI tells to ignore: they are described elsewhere. */
const IGNORED_HEADERS = new Set(['accept', 'content-type', 'authorization']);

/** What came of an OpenAPI document. */
export interface OpenapiTools {
  tools: ToolInput[];
  problems: Problem[];
}

/**
 * Makes one HTTP tool of every operation of an OpenAPI 3.0 or 3.1 document. Path, query and header parameters and the
 * body (under `body`) become one input schema; the JSON schema of the first 2xx answer becomes the output schema.
 * @param source what the catalog says about it.
 * @param document the parsed document.
 * @param pointer where the source is in the catalog, for problems.
 * @param documentUrl where the document came from, to resolve a relative server URL.
 */
export function openapiTools(
  source: OpenapiImport,
  document: unknown,
  pointer: string,
  documentUrl?: string,
): OpenapiTools {
  const root = fieldsOf(document);
  const version = String(root['openapi'] ?? root['swagger'] ?? '');
  if (!/^3\.[01]\./.test(version)) {
    const hint = version.startsWith('2') ? 'Convert a Swagger 2 document to OpenAPI 3 first' : undefined;
    return { tools: [], problems: [problem(pointer, 'is not an OpenAPI 3.0 or 3.1 document', hint)] };
  }
  const base = baseUrl(source, root, documentUrl);
  if (base === null) {
    return {
      tools: [],
      problems: [problem(`${pointer}/base_url`, 'is needed: the document names no server with a full URL')],
    };
  }
  const result: OpenapiTools = { tools: [], problems: [] };
  const reader = new OperationReader(source, new OpenapiSchemas(root), base);
  for (const [path, pathValue] of Object.entries(fieldsOf(root['paths']))) {
    for (const method of METHODS) {
      const item = fieldsOf(reader.schemas.resolve(pathValue));
      if (item[method] === undefined) continue;
      try {
        result.tools.push(reader.read(method, path, fieldsOf(item[method]), item['parameters']));
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        result.problems.push(
          problem(pointer, `${method.toUpperCase()} ${path} is not imported: ${error.message}`),
        );
      }
    }
  }
  return result;
}

function problem(pointer: string, message: string, hint?: string): Problem {
  return { pointer, message, ...(hint === undefined ? {} : { hint }) };
}

function baseUrl(source: OpenapiImport, root: Fields, documentUrl: string | undefined): string | null {
  if (source.base_url !== undefined) return source.base_url.replace(/\/+$/, '');
  const servers = root['servers'];
  const server = fieldsOf(Array.isArray(servers) ? servers[0] : undefined);
  const variables = fieldsOf(server['variables']);
  const url = String(server['url'] ?? '').replace(/\{([^}]+)\}/g, (_whole, name: string) =>
    String(fieldsOf(variables[name])['default'] ?? ''),
  );
  try {
    const full = new URL(url, documentUrl);
    return full.protocol === 'http:' || full.protocol === 'https:' ? full.href.replace(/\/+$/, '') : null;
  } catch {
    return null;
  }
}

interface Parameter {
  name: string;
  where: string;
  required: boolean;
  schema: unknown;
  description: unknown;
}

class OperationReader {
  constructor(
    private readonly source: OpenapiImport,
    readonly schemas: OpenapiSchemas,
    private readonly base: string,
  ) {}

  read(method: (typeof METHODS)[number], path: string, operation: Fields, shared: unknown): ToolInput {
    const operationId =
      typeof operation['operationId'] === 'string'
        ? operation['operationId']
        : `${method}_${path.replace(/[{}]/g, '').replace(/^\/+/, '')}`;
    const input = new InputBuilder();
    const headers: Record<string, string> = { ...this.source.headers };
    const query: Record<string, unknown> = {};
    let url = path.replaceAll('${', '$${');
    for (const parameter of this.parameters(shared, operation['parameters'])) {
      if (parameter.where === 'cookie') {
        if (parameter.required) throw new OperationError(`it needs cookie ${parameter.name}`);
        continue;
      }
      if (parameter.where === 'header') {
        const own = Object.keys(headers).some((name) => name.toLowerCase() === parameter.name.toLowerCase());
        if (own || IGNORED_HEADERS.has(parameter.name.toLowerCase())) continue;
      }
      const reference = input.add(parameter);
      if (parameter.where === 'path') url = url.replaceAll(`{${parameter.name}}`, reference);
      else if (parameter.where === 'query') query[parameter.name] = reference;
      else headers[parameter.name] = reference;
    }
    const unfilled = /(^|[^$])\{([^}]*)\}/.exec(url);
    if (unfilled) throw new OperationError(`path parameter ${unfilled[2]} is not described`);

    const body = this.body(operation['requestBody']);
    const bodyReference = body && input.add({ ...body, name: 'body', where: 'body', description: undefined });
    const output = this.answer(operation['responses']);
    const title = typeof operation['summary'] === 'string' ? operation['summary'].slice(0, 200) : undefined;
    const description =
      typeof operation['description'] === 'string' ? operation['description'].slice(0, 4000) : undefined;
    const effect = this.source.side_effect?.[operationId] ?? SIDE_EFFECTS[method];
    return {
      address: `${this.source.name}.${toToolName(operationId)}`,
      ...(title === undefined ? {} : { title }),
      ...(description === undefined ? {} : { description }),
      kind: 'http',
      input_schema: input.schema(this.schemas),
      ...(output === undefined ? {} : { output_schema: output }),
      side_effect: effect,
      ...(this.source.timeout === undefined ? {} : { timeout: this.source.timeout }),
      ...(this.source.grants === undefined ? {} : { grants: this.source.grants }),
      http: {
        method: method.toUpperCase() as 'GET',
        url: this.base + url,
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
        ...(Object.keys(query).length === 0 ? {} : { query }),
        ...(bodyReference === undefined ? {} : { body: bodyReference, body_type: body?.type ?? 'json' }),
      },
    };
  }

  /** Parameters of the path and of the operation; the operation's win. */
  private parameters(...lists: unknown[]): Parameter[] {
    const found = new Map<string, Parameter>();
    for (const list of lists) {
      for (const value of Array.isArray(list) ? list : []) {
        const fields = fieldsOf(this.schemas.resolve(value));
        const { name, in: where } = fields;
        if (typeof name !== 'string' || typeof where !== 'string')
          throw new OperationError('a parameter has no name');
        const content = Object.values(fieldsOf(fields['content']))[0];
        found.set(`${where} ${name}`, {
          name,
          where,
          required: fields['required'] === true || where === 'path',
          schema: fields['schema'] ?? fieldsOf(content)['schema'] ?? {},
          description: fields['description'],
        });
      }
    }
    return [...found.values()];
  }

  private body(
    value: unknown,
  ): { required: boolean; schema: unknown; type: 'json' | 'form' | 'text' } | undefined {
    if (value === undefined) return undefined;
    const body = fieldsOf(this.schemas.resolve(value));
    const content = Object.entries(fieldsOf(body['content']));
    const pick = (pattern: RegExp) => content.find(([type]) => pattern.test(type));
    const json = pick(/[/+]json\b|^\*\/\*/i);
    const chosen = json ?? pick(/x-www-form-urlencoded/i) ?? pick(/^text\//i);
    if (!chosen) {
      if (body['required'] !== true) return undefined;
      throw new OperationError(
        `its body is ${content.map(([type]) => type).join(', ') || 'of no type'}, which pao does not write`,
      );
    }
    return {
      required: body['required'] === true,
      schema: fieldsOf(chosen[1])['schema'] ?? {},
      type: chosen === json ? 'json' : /form/i.test(chosen[0]) ? 'form' : 'text',
    };
  }

  private answer(value: unknown): Record<string, unknown> | undefined {
    const success = Object.entries(fieldsOf(value)).find(([status]) => /^2(\d\d|XX)$/i.test(status));
    if (!success) return undefined;
    const content = Object.entries(fieldsOf(fieldsOf(this.schemas.resolve(success[1]))['content']));
    const schema = fieldsOf(content.find(([type]) => /[/+]json\b/i.test(type))?.[1])['schema'];
    return schema === undefined ? undefined : this.schemas.standalone(schema);
  }
}

/** Collects what goes into one call under names that do not collide. */
class InputBuilder {
  readonly #properties: Record<string, unknown> = {};
  readonly #required: string[] = [];

  /** Adds a value. @returns the template that refers to it. */
  add(parameter: Parameter): string {
    let name = parameter.name;
    while (Object.hasOwn(this.#properties, name)) name = `${name}_${parameter.where}`;
    if (/["\\}\r\n]/.test(name) || name.length > 200 || name === '__proto__') {
      throw new OperationError('a parameter has a name that cannot be used');
    }
    const schema = convertSchema(parameter.schema);
    const described =
      typeof parameter.description === 'string' && typeof schema === 'object' && schema !== null;
    this.#properties[name] = described ? { description: parameter.description, ...schema } : schema;
    if (parameter.required) this.#required.push(name);
    return `\${input["${name}"]${parameter.required ? '' : '?'}}`;
  }

  schema(schemas: OpenapiSchemas): Record<string, unknown> {
    return schemas.withDefinitions({
      type: 'object',
      additionalProperties: false,
      properties: this.#properties,
      ...(this.#required.length === 0 ? {} : { required: this.#required }),
    });
  }
}
