import { z } from 'zod';
import { writeShorthands } from '../../domain/schedule.js';
import { type AnswerName, answers } from './answers/index.js';
import { problem } from './answers/problem.js';
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
        ...responsesOf(one),
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
        ...answerSchemas(),
      },
    },
  };
}

function responsesOf({ status, answer, otherAnswers = {} }: Operation): Record<string, unknown> {
  const described: [string, AnswerName | undefined][] = [
    [String(status), answer],
    ...Object.entries(otherAnswers),
  ];
  return Object.fromEntries(
    described.map(([code, name]) => [
      code,
      {
        description: 'Done',
        ...(name === undefined
          ? {}
          : { content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } }),
      },
    ]),
  );
}

/** The schemas of all answers, which refer to each other by name. */
function answerSchemas(): Record<string, unknown> {
  const named = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries({ ...answers, Problem: problem })) named.add(schema, { id });
  const { schemas } = z.toJSONSchema(named, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _dialect, $id: _id, ...schema }]) => [id, schema]),
  );
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
