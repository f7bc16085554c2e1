import { z } from 'zod';
import { tryParseDuration } from './duration.js';

const ADDRESS = /^[a-z][a-z0-9_-]*(\.[a-zA-Z][a-zA-Z0-9_-]*)+$/;
const GROUP = /^[a-z][a-z0-9_-]*(\.[a-zA-Z][a-zA-Z0-9_-]*)*$/;
const GRANT = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?):([1-9][0-9]{0,4})$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// These frame the message itself; one of them in our hands would smuggle a second request.
const FRAMING_HEADERS =
  /^(host|connection|content-length|transfer-encoding|upgrade|expect|te|trailer|keep-alive|proxy-.*)$/i;
const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
// The host must be written out: an input that could choose the host would choose where the secrets go.
const HTTP_URL = /^https?:\/\/[^\s/?#\\${}@]+([/?#][^\s]*)?$/;

/** `<group>.<name>`, at most 128 characters: how a pipeline step names a tool. */
export const toolAddressSchema = z
  .string()
  .max(128)
  .regex(ADDRESS, 'must look like <group>.<name>, for example weather.forecast');

const groupSchema = z
  .string()
  .max(80)
  .regex(GROUP, 'must be lower case letters, digits, _ and -, for example calendar');

const durationSchema = z
  .string()
  .max(40)
  .refine((text) => (tryParseDuration(text) ?? 0) > 0, 'must be a duration such as 500ms, 30s or 5m');

/** An exact private target that the operator allows, `host:port`. */
export const grantSchema = z
  .string()
  .max(260)
  .regex(GRANT, { error: 'must be an exact host:port, for example 127.0.0.1:4101', abort: true })
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535,
    'the port must be at most 65535',
  );

const grantsSchema = z.array(grantSchema).max(20);
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const headersSchema = z.record(
  z
    .string()
    .max(200)
    .regex(HEADER_NAME, 'is not a header name')
    .refine((name) => !FRAMING_HEADERS.test(name), 'is a header that pao sets itself'),
  z
    .string()
    .max(8192)
    .regex(/^[^\r\n\0]*$/, 'must not contain a line break'),
);
const urlSchema = z
  .string()
  .max(4096)
  .regex(
    HTTP_URL,
    'must start with http:// or https:// and a host that is written out, without user name or template',
  );
const statusSchema = z.number().int().min(100).max(599);
const jsonSchemaSchema = z.record(z.string(), z.unknown());

/** What repeating a call does: nothing (`read`), the same again (`idempotent`), or it again (`once`). */
export const sideEffectSchema = z.enum(['read', 'idempotent', 'once']);
export type SideEffect = z.infer<typeof sideEffectSchema>;

/** A plain HTTP call. Strings may hold `${input.path}` and `${secrets.NAME}`; `?` after a path makes it optional. */
export const httpConnectorSchema = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  url: urlSchema,
  headers: headersSchema.optional(),
  /** Query parameters; null is left out, a list is repeated. */
  query: z.record(z.string().max(200), z.unknown()).optional(),
  /** JSON template of the body; the text `${input}` sends the whole input. */
  body: z.unknown().optional(),
  body_type: z.enum(['json', 'form', 'text']).optional(),
  response: z
    .strictObject({
      /** JMESPath over `{status, headers, body}`; without it the output is the body. */
      map: z.string().max(2000).optional(),
      /** Statuses that count as success; 200 to 299 when left out. */
      ok: z.array(statusSchema).min(1).max(50).optional(),
      /** Further statuses that a retry may mend. */
      retry_on: z.array(statusSchema).max(50).optional(),
      type: z.enum(['auto', 'json', 'text']).optional(),
    })
    .optional(),
  /** How many redirects may be followed; 0 when left out. Own headers are dropped on another origin. */
  max_redirects: z.number().int().min(0).max(5).optional(),
});
export type HttpConnector = z.infer<typeof httpConnectorSchema>;

const eraSchema = z.enum(['auto', 'modern', 'legacy']);

const stdioServerShape = {
  transport: z.literal('stdio'),
  command: z.string().min(1).max(1024),
  args: z.array(z.string().max(4096)).max(100).optional(),
  /** The whole environment of the child besides PATH, HOME and the like; values may hold `${secrets.NAME}`. */
  env: z
    .record(
      z.string().max(200).regex(ENVIRONMENT_NAME, 'is not an environment variable name'),
      z.string().max(8192),
    )
    .optional(),
  cwd: z.string().max(4096).optional(),
};
const httpServerShape = {
  transport: z.literal('http'),
  url: urlSchema,
  headers: headersSchema.optional(),
};

/** How to reach one MCP server. */
export const mcpServerSchema = z.discriminatedUnion('transport', [
  z.strictObject({ name: groupSchema, ...stdioServerShape }),
  z.strictObject({ name: groupSchema, ...httpServerShape }),
]);
export type McpServer = z.infer<typeof mcpServerSchema>;

/** One tool of an MCP server. */
export const mcpConnectorSchema = z.strictObject({
  server: mcpServerSchema,
  /** Name of the tool on the server. */
  tool: z.string().min(1).max(256),
  /** Revision of the protocol; `legacy` on stdio and `auto` on HTTP when left out. */
  era: eraSchema.optional(),
  /** It calls back into pao: each call carries a token that stands for its run, as `pao/run-token` in `_meta`. */
  run_token: z.boolean().optional(),
});

/** A model behind an OpenAI-compatible or an Anthropic endpoint. */
export const llmConnectorSchema = z.strictObject({
  provider: z.enum(['openai', 'anthropic']),
  /** For example `https://api.openai.com/v1` or `https://api.anthropic.com/v1`; a path is appended to it. */
  base_url: urlSchema,
  /** A secret reference, `${secrets.NAME}`; a local server needs none. */
  api_key: z
    .string()
    .max(200)
    .regex(/^\$\{\s*secrets\.[A-Za-z_][A-Za-z0-9_]*\s*\}$/, 'must be a secret reference: ${secrets.NAME}')
    .optional(),
  model: z.string().min(1).max(200),
  /** Other models a step may ask for; none when left out. */
  models: z.array(z.string().min(1).max(200)).max(50).optional(),
  token_field: z.enum(['max_tokens', 'max_completion_tokens']).optional(),
  /** Strongest form of structured output to try; falls back on its own when left out. */
  structured: z.enum(['json_schema', 'json_object', 'prompt']).optional(),
  /** Tokens per answer when a step does not say; 1024 when left out. */
  max_output_tokens: z.number().int().min(1).max(200_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  headers: headersSchema.optional(),
});
export type LlmConnector = z.infer<typeof llmConnectorSchema>;

/** Which built-in operation to run; the address itself when left out. */
export const builtinConnectorSchema = z.strictObject({
  name: toolAddressSchema,
});

const CONNECTOR_KINDS = ['http', 'mcp', 'llm', 'builtin'] as const;

/** What a step may ask of a model, unless the catalog says otherwise. */
export const llmInputSchema: Record<string, unknown> = {
  type: 'object',
  additionalProperties: false,
  anyOf: [{ required: ['prompt'] }, { required: ['messages'] }, { required: ['data'] }],
  properties: {
    system: { type: 'string', description: 'Instructions to the model' },
    prompt: { type: 'string', description: 'What to do; the last message of the user' },
    messages: {
      type: 'array',
      minItems: 1,
      maxItems: 200,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['role', 'content'],
        properties: { role: { enum: ['user', 'assistant'] }, content: { type: 'string' } },
      },
    },
    data: { description: 'Goes along as data inside <data>, never as instructions' },
    schema: { type: 'object', description: 'JSON Schema of the wanted answer; the output is then that JSON' },
    max_output_tokens: { type: 'integer', minimum: 1, maximum: 200_000 },
    temperature: { type: 'number', minimum: 0, maximum: 2 },
    model: { type: 'string', description: 'One of the models the catalog allows for this tool' },
  },
};

const toolObjectSchema = z
  .strictObject({
    address: toolAddressSchema,
    title: z.string().max(200).optional(),
    description: z.string().max(4000).optional(),
    kind: z.enum(CONNECTOR_KINDS),
    /** JSON Schema 2020-12 of the input; checked before every call. */
    input_schema: jsonSchemaSchema.default(() => ({ type: 'object' })),
    /** JSON Schema 2020-12 of the output; checked after every call. */
    output_schema: jsonSchemaSchema.optional(),
    /** When left out: `read` for models and for HTTP GET and HEAD, else `once`. */
    side_effect: sideEffectSchema.default('once'),
    /** Longest time one call may take; a shorter step timeout wins. */
    timeout: durationSchema.optional(),
    /** Private targets this tool may reach; only an operator may set them. */
    grants: grantsSchema.optional(),
    /** What to do with a text field that is longer than the other side takes. */
    max_text: z
      .strictObject({
        /** JSON Pointer to the text in the input. */
        field: z
          .string()
          .max(200)
          .regex(/^(\/[^/]+)+$/, 'must be a JSON Pointer such as /text'),
        /** UTF-16 units, as Telegram counts. */
        limit: z.number().int().min(16).max(1_000_000),
        mode: z.enum(['truncate', 'split']).default('truncate'),
      })
      .optional(),
    http: httpConnectorSchema.optional(),
    mcp: mcpConnectorSchema.optional(),
    llm: llmConnectorSchema.optional(),
    builtin: builtinConnectorSchema.optional(),
  })
  .superRefine((tool, context) => {
    for (const kind of CONNECTOR_KINDS) {
      if (kind === tool.kind && kind !== 'builtin' && tool[kind] === undefined) {
        context.addIssue({
          code: 'custom',
          path: [kind],
          message: `a tool of kind ${kind} needs a ${kind} block`,
        });
      }
      if (kind !== tool.kind && tool[kind] !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [kind],
          message: `a tool of kind ${tool.kind} must not have a ${kind} block`,
        });
      }
    }
  });

/** One tool of the catalog, as it is stored and as the API shows it. */
export const toolSchema = z.preprocess(withDefaults, toolObjectSchema);
export type Tool = z.infer<typeof toolObjectSchema>;
/** What a person writes for a tool: defaults may be left out. */
export type ToolInput = z.input<typeof toolObjectSchema>;

/** Defaults that depend on the kind of tool; everything else is left to the schema. */
function withDefaults(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const tool = value as Record<string, unknown>;
  if (tool['kind'] === 'llm') return { side_effect: 'read', input_schema: llmInputSchema, ...tool };
  if (tool['kind'] === 'http') {
    const method = (tool['http'] as { method?: unknown } | null | undefined)?.method ?? 'GET';
    if (method === 'GET' || method === 'HEAD') return { side_effect: 'read', ...tool };
  }
  return value;
}

const importedServerShape = {
  name: groupSchema,
  era: eraSchema.optional(),
  timeout: durationSchema.optional(),
  grants: grantsSchema.optional(),
  /** Its tools call back into pao, and get a token of the run they work for. */
  run_token: z.boolean().optional(),
  /** Side effect per remote tool name, where the server's own annotations are missing or wrong. */
  side_effect: z.record(z.string().max(256), sideEffectSchema).optional(),
};

/** An MCP server whose tools are all imported as `<name>.<tool>`. */
export const serverImportSchema = z.discriminatedUnion('transport', [
  z.strictObject({ ...importedServerShape, ...stdioServerShape }),
  z.strictObject({ ...importedServerShape, ...httpServerShape }),
]);
export type ServerImport = z.infer<typeof serverImportSchema>;

/** An OpenAPI 3.0 or 3.1 document whose operations are imported as `<name>.<operationId>`. */
export const openapiImportSchema = z
  .strictObject({
    name: groupSchema,
    /** Where the document is: exactly one of `url`, `file`, `document`. */
    url: urlSchema.optional(),
    file: z.string().max(4096).optional(),
    document: z.record(z.string(), z.unknown()).optional(),
    /** Overrides the first entry of `servers` in the document. */
    base_url: urlSchema.optional(),
    headers: headersSchema.optional(),
    timeout: durationSchema.optional(),
    grants: grantsSchema.optional(),
    side_effect: z.record(z.string().max(256), sideEffectSchema).optional(),
  })
  .refine(
    (source) => [source.url, source.file, source.document].filter((one) => one !== undefined).length === 1,
    {
      message: 'needs exactly one of url, file and document',
    },
  );
export type OpenapiImport = z.infer<typeof openapiImportSchema>;

/** A catalog file (`tools.yaml`): tools written out, MCP servers and OpenAPI documents to import. */
export const catalogFileSchema = z.strictObject({
  tools: z.array(toolSchema).max(1000).optional(),
  servers: z.array(serverImportSchema).max(100).optional(),
  openapi: z.array(openapiImportSchema).max(100).optional(),
});
export type CatalogFile = z.infer<typeof catalogFileSchema>;
