import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { ensureRun, makeTask, makeTool, runToEnd, see, seeRun, steps } from '../make.js';
import { BRIEFING_CALENDAR } from './briefing-calendar.js';
import { refusedWith } from './tasks.js';
import { ok } from './tool-server.js';
import { makeRouteTool, type World } from './world.js';

const group = 'Tools';
const requires = ['server', 'admin', 'same-machine'] as const;
const INPUT = {
  type: 'object',
  required: ['count'],
  additionalProperties: false,
  properties: { count: { type: 'integer', minimum: 1 } },
};

/** The catalog: schemas on the way in and out, imports, and what a tool may not reach. */
export const toolChecks: Check<World>[] = [
  {
    id: 'tools.input_schema',
    title: "Input that does not fit a tool's schema never reaches the tool",
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(() => ok());
      const tool = await makeRouteTool(world, tools, route, { input_schema: INPUT });
      const hint = see(world, tools, `pao tool show ${tool.address}`);
      const task = (count: unknown) => ({
        name: world.name('task'),
        params: { count: 'three' },
        ...steps({ id: 'call', uses: tool.address, with: { count: count as string } }),
      });
      const literal = await refusedWith(world.client.createTask(task('three'), tools));
      ensureEqual('The status of a wrong literal', literal?.httpStatus, 422, hint);
      const pointers = literal?.problems.map(({ pointer }) => pointer) ?? [];
      ensure(
        pointers.some((one) => one.endsWith('/with/count')),
        'The wrong value is not named.',
        hint,
        { pointers },
      );
      const called = await refusedWith(world.client.callTool(tool.address, { count: 0 }, tools));
      ensureEqual('The status of a call with a value out of range', called?.httpStatus, 422, hint);
      const run = await runToEnd(world, tools, await makeTask(world, tools, task('${params.count}')));
      ensureRun(world, tools, run, 'failed', 'invalid_input');
      ensureEqual('How often the tool was called', route.calls.length, 0, hint);
      return { pointers, run: run.error?.message };
    },
  },
  {
    id: 'tools.output_schema',
    title: "Output that does not fit a tool's schema fails the step, and is not tried again",
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(() => ok({ temperature: 'cold' }));
      const tool = await makeRouteTool(world, tools, route, {
        output_schema: { type: 'object', properties: { temperature: { type: 'number' } } },
      });
      const task = await makeTask(world, tools, {
        ...steps({ id: 'call', uses: tool.address }),
        retry: { max: 3, base: '10ms' },
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'failed', 'invalid_output');
      const pointer = run.steps?.[0]?.error?.pointer;
      ensureEqual('The place of the mistake', pointer, '/temperature', seeRun(world, tools, run));
      ensureEqual('How often the tool was called', route.calls.length, 1, seeRun(world, tools, run));
      return { reason: run.reason, pointer };
    },
  },
  {
    id: 'tools.mcp_import',
    title: 'The tools of an MCP server are imported and called',
    group,
    requires: ['server', 'admin', 'ephemeral-server'],
    async run(world, tools) {
      const name = world.name('calendar');
      const calendar = join(world.packageRoot, 'dist', 'demo', 'calendar.cjs');
      const file = join(world.folder, 'calendar.ics');
      writeFileSync(file, BRIEFING_CALENDAR);
      const args = [calendar, '--calendar', file];
      const { items } = await world.client.importTools(
        { servers: [{ name, transport: 'stdio', command: process.execPath, args }] },
        tools,
      );
      const address = `${name}.list_events`;
      ensureEqual(
        'The imported tools',
        items.map((item) => item.address),
        [address],
        tools.rerun,
      );
      const { input_schema: schema } = await world.client.getTool(address, tools);
      ensure(JSON.stringify(schema).includes('start'), 'The schema of the input is missing.', tools.rerun);
      const window = { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00' };
      const { output } = await world.client.callTool(address, window, tools);
      const events = (output as { items?: { summary: string }[] }).items?.map(({ summary }) => summary);
      ensureEqual('What it gave', events, ["Ana's birthday", 'Daily standup', 'Dentist'], tools.rerun);
      return { imported: [address], events };
    },
  },
  {
    id: 'tools.openapi_import',
    title: 'The operations of an OpenAPI document are imported and called',
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(({ path, query }) => ok({ path, unit: query.get('unit') }));
      const name = world.name('api');
      const { items } = await world.client.importTools(
        { openapi: [{ name, document: openapi(route.url), grants: world.toolServer.grants }] },
        tools,
      );
      const address = `${name}.getReading`;
      tools.cleanUp(`the tool ${address}`, () => (world.own ? undefined : world.client.deleteTool(address)));
      ensureEqual(
        'The imported tools',
        items.map((item) => item.address),
        [address],
        see(world, tools, 'pao tool list'),
      );
      const refused = await refusedWith(world.client.callTool(address, { unit: 'C' }, tools));
      ensureEqual(
        'The status of a call without the id',
        refused?.httpStatus,
        422,
        see(world, tools, `pao tool show ${address}`),
      );
      const { output } = await world.client.callTool(address, { id: 'kitchen', unit: 'C' }, tools);
      const expected = { path: `${new URL(route.url).pathname}/readings/kitchen`, unit: 'C' };
      ensureEqual('What it gave', output, expected, see(world, tools, `pao tool show ${address}`));
      return { imported: [address], output };
    },
  },
  {
    id: 'tools.private_address',
    title: 'A tool reaches no private address that nobody granted',
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(() => ok());
      const tool = await makeTool(world, tools, {
        kind: 'http',
        side_effect: 'read',
        http: { method: 'GET', url: route.url },
      });
      const task = await makeTask(world, tools, steps({ id: 'call', uses: tool.address }));
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'failed', 'blocked');
      ensureEqual('How often it was reached', route.calls.length, 0, see(world, tools, 'pao check security'));
      return { reason: run.reason, error: run.error?.message };
    },
  },
];

/** A small API with a path parameter that is required and a query parameter that is not. */
const openapi = (url: string) => ({
  openapi: '3.1.0',
  info: { title: 'Readings', version: '1' },
  servers: [{ url }],
  paths: {
    '/readings/{id}': {
      get: {
        operationId: 'getReading',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
          { name: 'unit', in: 'query', schema: { type: 'string', enum: ['C', 'F'] } },
        ],
        responses: {
          '200': {
            description: 'A reading',
            content: { 'application/json': { schema: { type: 'object' } } },
          },
        },
      },
    },
  },
});
