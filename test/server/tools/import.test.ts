import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Tool } from '../../../src/domain/tool.js';
import { importCatalog } from '../../../src/server/tools/import.js';
import { failureOf, json, someCallers, someContext, startServer } from './a-tool-system.js';

const FIXTURE = fileURLToPath(new URL('fixtures/stdio-server.mjs', import.meta.url));
const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function callersWith(...given: Parameters<typeof someCallers>) {
  const callers = someCallers(...given);
  open.push(callers);
  return callers;
}

const server = { name: 'test', transport: 'stdio', command: process.execPath, args: [FIXTURE] };

const petstore = (base?: string) => ({
  openapi: '3.0.3',
  info: { title: 'Pets', version: '1' },
  ...(base === undefined
    ? {}
    : { servers: [{ url: `${base}/{version}/`, variables: { version: { default: 'v2' } } }] }),
  paths: {
    '/pets/{petId}': {
      parameters: [{ $ref: '#/components/parameters/petId' }],
      get: {
        operationId: 'getPet',
        summary: 'One pet',
        parameters: [
          { name: 'fields', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'X-Request-Source', in: 'header', schema: { type: 'string' } },
          { name: 'Authorization', in: 'header', schema: { type: 'string' } },
        ],
        responses: { 200: { $ref: '#/components/responses/Pet' } },
      },
      put: {
        operationId: 'replacePet',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } },
        },
        responses: { 204: { description: 'done' } },
      },
      delete: { responses: { 204: { description: 'gone' } } },
    },
    '/pets': {
      post: {
        operationId: 'create pet!',
        requestBody: {
          content: {
            'application/x-www-form-urlencoded': {
              schema: { type: 'object', properties: { name: { type: 'string' } } },
            },
          },
        },
        responses: { default: { description: 'any' } },
      },
    },
    '/upload': {
      post: {
        operationId: 'upload',
        requestBody: { required: true, content: { 'multipart/form-data': { schema: {} } } },
        responses: {},
      },
    },
    '/elsewhere': {
      get: { operationId: 'elsewhere', parameters: [{ $ref: 'https://evil.example/x.json' }], responses: {} },
    },
  },
  components: {
    parameters: {
      petId: {
        name: 'petId',
        in: 'path',
        required: true,
        description: 'Which',
        schema: { type: 'integer', minimum: 0, exclusiveMinimum: true },
      },
    },
    responses: {
      Pet: {
        description: 'a pet',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } },
      },
    },
    schemas: {
      Pet: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string', example: 'Rex' },
          tag: { type: 'string', nullable: true },
          friends: { type: 'array', items: { $ref: '#/components/schemas/Pet' } },
          owner: { $ref: '#/components/schemas/Owner' },
        },
      },
      Owner: { type: 'object', properties: { name: { type: 'string' } } },
      Unused: { type: 'object' },
    },
  },
});

const byAddress = (tools: Tool[]) => Object.fromEntries(tools.map((tool) => [tool.address, tool]));

describe('the import of an MCP server', () => {
  it('takes all its tools with schemas and what they say of their effects', async () => {
    const callers = callersWith();
    const { tools, problems } = await importCatalog(
      { servers: [{ ...server, timeout: '20s', side_effect: { say: 'read' } }] },
      callers,
    );
    expect(problems).toEqual([]);
    expect(tools.map((tool) => [tool.address, tool.side_effect])).toEqual([
      ['test.add', 'read'],
      ['test.big', 'once'],
      ['test.die', 'once'],
      ['test.environment', 'once'],
      ['test.fail', 'once'],
      ['test.hang', 'once'],
      ['test.picture', 'once'],
      ['test.put_value', 'idempotent'],
      ['test.refuse', 'once'],
      ['test.say', 'read'],
    ]);
    const add = byAddress(tools)['test.add'] as Tool;
    expect(add).toMatchObject({
      title: 'Add',
      description: 'Adds two numbers',
      kind: 'mcp',
      timeout: '20s',
      input_schema: { required: ['a', 'b'] },
      output_schema: { required: ['sum'] },
      mcp: { tool: 'add', server },
    });
    expect((await callers.call(add, { a: 1, b: 1 }, someContext())).output).toEqual({ sum: 2 });
    expect(await failureOf(callers.call(add, { a: 1 }, someContext()))).toMatchObject({
      kind: 'invalid_input',
    });
    expect(
      (await callers.call(byAddress(tools)['test.put_value'] as Tool, { value: 'v' }, someContext())).output,
    ).toEqual({ put: 'v' });
  });

  it('that does not answer is one problem, and the rest is taken', async () => {
    const document = {
      servers: [
        server,
        { name: 'gone', transport: 'stdio', command: '/no/such/program' },
        { ...server, name: 'odd', side_effect: { nope: 'read' } },
      ],
      tools: [{ address: 'own.tool', kind: 'http', http: { url: 'https://example.com/' } }],
    };
    const { tools, problems } = await importCatalog(document, callersWith());
    expect(tools).toHaveLength(21);
    expect(problems.map((one) => one.pointer)).toEqual(['/servers/1', '/servers/2/side_effect/nope']);
    expect(problems[0]?.message).toContain('cannot be started');
  });
});

describe('the import of an OpenAPI document', () => {
  it('makes tools of its operations that can be called', async () => {
    const api = await startServer((request, response) => {
      if (request.method === 'GET')
        return json(response, { name: 'Rex', tag: null, friends: [{ name: 'Mo' }] });
      response.writeHead(204).end();
    });
    open.push(api);
    const source = {
      name: 'pets',
      document: petstore(api.url),
      grants: [api.target],
      headers: { 'X-Key': '${secrets.PETS}' },
    };
    const callers = callersWith({ PETS: 'pets-key' });
    const { tools, problems } = await importCatalog({ openapi: [source] }, callers);
    expect(tools.map((tool) => [tool.address, tool.side_effect])).toEqual([
      ['pets.create_pet', 'once'],
      ['pets.delete_pets_petId', 'idempotent'],
      ['pets.getPet', 'read'],
      ['pets.replacePet', 'idempotent'],
    ]);
    expect(problems.map((one) => one.message)).toEqual([
      'POST /upload is not imported: its body is multipart/form-data, which pao does not write',
      'GET /elsewhere is not imported: reference https://evil.example/x.json leads out of the document',
    ]);
    const named = byAddress(tools);
    const getPet = named['pets.getPet'] as Tool;
    expect(getPet.title).toBe('One pet');
    expect(getPet.input_schema).toMatchObject({
      required: ['petId'],
      properties: {
        petId: { type: 'integer', exclusiveMinimum: 0, description: 'Which' },
        fields: { type: 'array' },
      },
    });
    expect(Object.keys(getPet.output_schema?.['$defs'] as object).sort()).toEqual(['Owner', 'Pet']);

    const found = await callers.call(
      getPet,
      { petId: 7, fields: ['a', 'b'], 'X-Request-Source': 'pao' },
      someContext(),
    );
    expect(found.output).toMatchObject({ name: 'Rex' });
    expect(await failureOf(callers.call(getPet, { petId: 0 }, someContext()))).toMatchObject({
      kind: 'invalid_input',
      pointer: '/petId',
    });
    await callers.call(
      named['pets.replacePet'] as Tool,
      { petId: 7, body: { name: 'Rex', tag: null } },
      someContext(),
    );
    expect(
      await failureOf(
        callers.call(
          named['pets.replacePet'] as Tool,
          { petId: 7, body: { name: 'x', friends: [{}] } },
          someContext(),
        ),
      ),
    ).toMatchObject({ kind: 'invalid_input' });
    await callers.call(named['pets.create_pet'] as Tool, { body: { name: 'Mo & Co' } }, someContext());
    await callers.call(named['pets.create_pet'] as Tool, {}, someContext());
    expect(api.requests.map((one) => [one.method, one.url, one.body])).toEqual([
      ['GET', '/v2/pets/7?fields=a&fields=b', ''],
      ['PUT', '/v2/pets/7', '{"name":"Rex","tag":null}'],
      ['POST', '/v2/pets', 'name=Mo+%26+Co'],
      ['POST', '/v2/pets', ''],
    ]);
    expect(api.requests[0]?.headers).toMatchObject({ 'x-request-source': 'pao', 'x-key': 'pets-key' });
  });

  it('can be fetched, as YAML too, and its server address is relative to where it came from', async () => {
    const api = await startServer((request, response) => {
      if (request.url !== '/spec/openapi.yaml') return json(response, {}, 404);
      response.setHeader('content-type', 'application/yaml');
      response.end(
        'openapi: 3.1.0\nservers:\n  - url: /api\npaths:\n  /time:\n    get:\n      operationId: time\n      responses: {}\n',
      );
    });
    open.push(api);
    const source = { name: 'clock', url: `${api.url}/spec/openapi.yaml`, grants: [api.target] };
    const { tools, problems } = await importCatalog({ openapi: [source] }, callersWith());
    expect(problems).toEqual([]);
    expect(tools.map((tool) => tool.http?.url)).toEqual([`${api.url}/api/time`]);
  });

  it('says what is missing or wrong, once per source', async () => {
    const document = {
      openapi: [
        { name: 'a', document: { swagger: '2.0' } },
        { name: 'b', document: petstore() },
        { name: 'c', file: 'pets.yaml' },
        { name: 'd', url: 'http://127.0.0.1:9/openapi.json' },
      ],
    };
    const { tools, problems } = await importCatalog(document, callersWith());
    expect(tools).toEqual([]);
    expect(problems.map((one) => one.pointer)).toEqual([
      '/openapi/0',
      '/openapi/1/base_url',
      '/openapi/2/file',
      '/openapi/3',
    ]);
    expect(problems[3]?.message).toContain('not a public address');
  });
});

describe('a catalog document', () => {
  it('that is wrong gives all problems with pointers', async () => {
    const document = {
      tools: [
        { address: 'bad', kind: 'http', http: { url: 'https://example.com/' } },
        { address: 'a.b', kind: 'http', http: { url: 'ftp://x' } },
      ],
      surprise: true,
    };
    const { tools, problems } = await importCatalog(document, callersWith());
    expect(tools).toEqual([]);
    expect(problems.map((one) => one.pointer).sort()).toEqual(
      expect.arrayContaining(['/tools/0/address', '/tools/1/http/url']),
    );
    expect(problems.length).toBeGreaterThanOrEqual(3);
  });

  it('with a schema that cannot be used or an address twice says so at that tool', async () => {
    const http = { url: 'https://example.com/' };
    const document = {
      tools: [
        { address: 'a.b', kind: 'http', http, input_schema: { type: 'nonsense' } },
        { address: 'a.c', kind: 'http', http, output_schema: { $ref: 'https://evil.example/schema' } },
        { address: 'a.d', kind: 'http', http },
        { address: 'a.d', kind: 'http', http },
      ],
    };
    const { tools, problems } = await importCatalog(document, callersWith());
    expect(tools.map((tool) => tool.address)).toEqual(['a.d']);
    expect(problems.map((one) => one.pointer.replace(/schema\/.*/, 'schema'))).toEqual([
      '/tools/0/input_schema',
      '/tools/1/output_schema',
      '/tools/3/address',
    ]);
  });
});
