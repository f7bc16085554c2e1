import { type AnySchema, Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { operations } from '../src/server/api/create-api.js';
import { openapiDocument } from '../src/server/api/openapi.js';

// Every answer that a test gets from a real API is held to the OpenAPI document: what is not in it, or is there as something
// else, fails the test that got it.

type Json = Record<string, unknown>;
interface Documented {
  operationId: string;
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

const document = openapiDocument(operations, '0.0.0') as {
  paths: Record<string, Record<string, Documented>>;
  components: { schemas: Record<string, Json> };
};

/** The document leaves room for what comes later; here nothing may come that it does not say. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return inner['type'] === 'object' && 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
ajv.addSchema({ $id: 'pao', components: { schemas: closed(document.components.schemas) } } as AnySchema);
const compiled = new Map<string, ValidateFunction>();

const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({
    method: method.toUpperCase(),
    // The more is written out, the sooner a path is it.
    wildcards: path.split('{').length,
    path: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[a-z_]+\}/g, '[^/]+')}$`),
    one,
  })),
);
routes.sort((a, b) => a.wildcards - b.wildcards);

/** What a request was answered with. */
export interface GivenAnswer {
  method: string;
  /** With or without a query. */
  path: string;
  status: number;
  contentType: string | null;
  /** The parsed body; null when there was none. */
  body: unknown;
}

/** @throws Error when the answer is not what the OpenAPI document says; paths that are not in it may answer anything. */
export function checkAnswer({ method, path, status, contentType, body }: GivenAnswer): void {
  const [plain = ''] = path.split('?');
  const found = routes.find((route) => route.method === method && route.path.test(plain));
  if (found === undefined) return;
  const { operationId, responses } = found.one;
  const what = `${operationId} answered ${status}`;
  const response = responses[String(status)] ?? (status >= 400 ? responses['default'] : undefined);
  if (response === undefined) throw new Error(`${what}, which the OpenAPI document does not know.`);
  const [[type, content] = []] = Object.entries(response.content ?? {});
  if (type === undefined || content === undefined) {
    if (body !== null) throw new Error(`${what} with a body, which the OpenAPI document does not know.`);
    return;
  }
  if (contentType?.split(';')[0] !== type) throw new Error(`${what} as ${contentType}, not as ${type}.`);
  const { $ref = '' } = content.schema as { $ref?: string };
  const validate = compiled.get($ref) ?? ajv.compile({ $ref: `pao${$ref}` });
  compiled.set($ref, validate);
  if (validate(body)) return;
  const faults = (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
  throw new Error(`${what}, not as the OpenAPI document says (${$ref}):\n${[...new Set(faults)].join('\n')}`);
}
