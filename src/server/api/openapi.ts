import { z } from 'zod';
import { writeShorthands } from '../../domain/schedule.js';
import type { Operation } from './operation.js';

/** The OpenAPI 3.1 document, made from the same table the routes are bound from. */
export function openapiDocument(operations: readonly Operation[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of operations) {
    const path = one.path.replace(/:([a-z_]+)/g, '{$1}');
    const parameters = [...one.path.matchAll(/:([a-z_]+)/g)].map((match) => ({
      name: match[1],
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    paths[path] ??= {};
    paths[path][one.method.toLowerCase()] = {
      operationId: one.name,
      summary: one.summary,
      tags: [one.path.split('/')[2] ?? 'system'],
      ...(one.scope === null ? {} : { description: `Scope: ${one.scope}` }),
      parameters: [...parameters, ...queryParameters(one.query)],
      ...(one.body === undefined
        ? {}
        : {
            requestBody: {
              required: one.documentedBody !== undefined || !one.body.safeParse(undefined).success,
              content: { 'application/json': { schema: schemaOf(one.documentedBody ?? one.body) } },
            },
          }),
      responses: {
        [String(one.status)]:
          one.status === 204
            ? { description: 'Done' }
            : { description: 'Done', content: { 'application/json': { schema: { type: 'object' } } } },
        default: {
          description: 'A problem',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'pao, the Personal Agent Orchestrator',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Problem: {
          type: 'object',
          required: ['type', 'title', 'status', 'detail', 'errors', 'request_id'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
            code: { type: 'string' },
            errors: {
              type: 'array',
              items: {
                type: 'object',
                required: ['pointer', 'message'],
                properties: {
                  pointer: { type: 'string' },
                  message: { type: 'string' },
                  hint: { type: 'string' },
                },
              },
            },
            hints: { type: 'array', items: { type: 'string' } },
            request_id: { type: 'string' },
          },
        },
      },
    },
  };
}

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: (context) => writeShorthands(context as Parameters<typeof writeShorthands>[0]),
  }) as Record<string, unknown>;
  return rest;
}

function queryParameters(query: z.ZodType | undefined): Record<string, unknown>[] {
  if (query === undefined) return [];
  const schema = schemaOf(query) as { properties?: Record<string, unknown>; required?: string[] };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: false,
    schema: property,
  }));
}

/** A page that lists every operation; it needs no other file and no network. */
export function docsPage(operations: readonly Operation[], version: string): string {
  const rows = operations
    .map(
      (one) =>
        `<tr><td><code>${one.method}</code></td><td><code>${escapeHtml(one.path)}</code></td><td>${escapeHtml(one.summary)}</td><td><code>${escapeHtml(one.scope ?? 'any token')}</code></td></tr>`,
    )
    .join('\n');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>pao API</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}code{font-size:.9em}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}td,th{border-color:#333}a{color:#8ab4f8}}</style></head>
<body><h1>pao API <small>${escapeHtml(version)}</small></h1>
<p>Send <code>Authorization: Bearer pao_…</code>. Errors are <code>application/problem+json</code>. The whole contract: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Health: <a href="/health">/health</a>.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Scope</th></tr></thead><tbody>
${rows}
</tbody></table></body></html>`;
}

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
