import { z } from 'zod';
import { writeShorthands } from '../../domain/schedule.js';
import { type AnswerName, answers } from './answers/index.js';
import { problem } from './answers/problem.js';
import { MAX_IDEMPOTENCY_KEY } from './idempotency.js';
import type { Operation } from './operation.js';
import { type OtherPath, otherPaths } from './other-paths.js';

/** The OpenAPI 3.1 document, made from the same table the routes are bound from, and of the paths that are no operation. */
export function openapiDocument(operations: readonly Operation[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of operations) {
    const path = templateOf(one.path);
    paths[path] ??= {};
    paths[path][one.method.toLowerCase()] = {
      operationId: one.name,
      summary: one.summary,
      tags: [one.path.split('/')[2] ?? 'system'],
      ...(one.scope === null ? {} : { description: `Scope: ${one.scope}` }),
      parameters: [...pathParameters(one.path), ...queryParameters(one.query), ...keyParameter(one)],
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
        default: A_PROBLEM,
      },
    };
  }
  for (const one of otherPaths) {
    const path = templateOf(one.path);
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: describeOther(one) };
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
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        // Calendar programs send no header.
        tokenInUrl: { type: 'apiKey', in: 'query', name: 'token' },
      },
      schemas: {
        ...answerSchemas(),
      },
    },
  };
}

const A_PROBLEM = {
  description: 'A problem',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const templateOf = (path: string) => path.replace(/:([a-z_]+)/g, '{$1}');

const pathParameters = (path: string) =>
  [...path.matchAll(/:([a-z_]+)/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

const keyParameter = ({ method }: Operation) =>
  method === 'POST'
    ? [
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description: 'The same key with the same body gives the first answer again, for 24 hours',
          schema: { type: 'string', minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY },
        },
      ]
    : [];

function describeOther(one: OtherPath): Record<string, unknown> {
  const description = [
    ...(one.description === undefined ? [] : [one.description]),
    ...(one.scope === null ? [] : [`Scope: ${one.scope}`]),
  ].join(' ');
  const security =
    one.scope === null ? [] : [{ token: [] }, ...(one.takesQueryToken ? [{ tokenInUrl: [] }] : [])];
  return {
    operationId: one.name,
    summary: one.summary,
    tags: [
      one.path
        .split('/')
        .find((part) => !['', 'v1'].includes(part))
        ?.replace(/\..*/, ''),
    ],
    description,
    security,
    parameters: [
      ...pathParameters(one.path),
      ...(one.parameters ?? []).map(({ pattern, ...parameter }) => ({
        ...parameter,
        required: false,
        schema: { type: 'string', ...(pattern === undefined ? {} : { pattern }) },
      })),
    ],
    ...(one.takesBody === undefined
      ? {}
      : { requestBody: { description: one.takesBody, required: false, content: { '*/*': {} } } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(one.answers).map(([status, answer]) => [
          status,
          typeof answer === 'string'
            ? { description: 'Done', ...jsonContent(answer) }
            : {
                description: answer.description,
                content: { [answer.type]: { schema: { type: 'string' } } },
              },
        ]),
      ),
      default: A_PROBLEM,
    },
  };
}

const jsonContent = (name: AnswerName) => ({
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
});

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
        ...(code === '201'
          ? { headers: { Location: { description: 'Where it is', schema: { type: 'string' } } } }
          : {}),
        ...(name === undefined ? {} : jsonContent(name)),
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
