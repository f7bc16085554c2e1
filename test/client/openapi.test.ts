import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PaoClient } from '../../src/client/index.js';
import { operations } from '../../src/server/api/create-api.js';
import { openapiDocument } from '../../src/server/api/openapi.js';
import { checkAnswer } from '../answers.js';
import './client-types.js';
import { startTestApi } from '../server/api/an-api.js';

interface OpenApiOperation {
  operationId: string;
  parameters: { name: string; in: string }[];
  responses: Record<string, { content?: object }>;
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
}

const { paths } = openapiDocument(operations, '0.0.0') as {
  paths: Record<string, Record<string, OpenApiOperation>>;
};
const all = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({ path, method: method.toUpperCase(), ...one })),
);
/** What the client has methods for; the stream, health and the like have a way of their own. */
const documented = all.filter(({ operationId }) => operations.some(({ name }) => name === operationId));

const task = { name: 'a', pipeline: [{ id: 'one', uses: 'debug.echo' }] };
const tool = { address: 'a.b', kind: 'builtin', builtin: { name: 'debug.echo' }, input_schema: {} } as const;
const page = { limit: 5, cursor: 'abc' };

/** For each operation of the document the method of the client that makes it, with all it can say. */
const CALLS: Record<string, [method: keyof PaoClient, call: (client: PaoClient) => Promise<unknown>]> = {
  agenda: ['agenda', (pao) => pao.agenda({ hours: 3, limit: 5, often: 9 })],
  agent_create: [
    'createAgent',
    (pao) => pao.createAgent({ name: 'a', title: 'A', scopes: ['tasks:read'], expires_in_seconds: 60 }),
  ],
  agent_delete: ['deleteAgent', (pao) => pao.deleteAgent('x')],
  agent_get: ['getAgent', (pao) => pao.getAgent('x')],
  agent_list: ['listAgents', (pao) => pao.listAgents(page)],
  agent_quiet: [
    'setAgentQuiet',
    (pao) =>
      pao.setAgentQuiet('x', {
        quiet_hours: [{ from: '22:00', to: '09:00', timezone: 'UTC' }],
        vacation: [],
      }),
  ],
  agent_update: ['updateAgent', (pao) => pao.updateAgent('x', { scopes: ['tasks:read'] })],
  approval_decide: [
    'decideApproval',
    (pao) => pao.decideApproval('x', { decision: 'approve', comment: 'c', data: { a: 1 } }),
  ],
  approval_get: ['getApproval', (pao) => pao.getApproval('x')],
  approval_list: ['listApprovals', (pao) => pao.listApprovals({ ...page, state: 'pending' })],
  audit_list: [
    'listAudit',
    (pao) =>
      pao.listAudit({ ...page, actor: 'a', action: 'task.*', object: 'x', since: '2026-11-24T00:00:00Z' }),
  ],
  channel_list: ['listChannels', (pao) => pao.listChannels()],
  delivery_get: ['getDelivery', (pao) => pao.getDelivery('x')],
  delivery_list: [
    'listDeliveries',
    (pao) => pao.listDeliveries({ ...page, status: 'unknown', runId: 'r', channel: 'c' }),
  ],
  delivery_resend: ['resendDelivery', (pao) => pao.resendDelivery('x')],
  delivery_resolve: [
    'resolveDelivery',
    (pao) => pao.resolveDelivery('x', { status: 'delivered', comment: 'c' }),
  ],
  event_get: ['getEvent', (pao) => pao.getEvent('x')],
  event_list: ['listEvents', (pao) => pao.listEvents({ ...page, topic: 'a.*' })],
  event_publish: [
    'publishEvent',
    (pao) => pao.publishEvent({ topic: 'a', payload: 1, dedupe_key: 'k', run_id: `run_${'0'.repeat(32)}` }),
  ],
  health: ['health', (pao) => pao.health()],
  hook_create: [
    'createHook',
    (pao) =>
      pao.createHook({
        name: 'a',
        topic: 'a',
        scheme: 'github',
        allow_repeats: true,
        secret: 'x'.repeat(16),
      }),
  ],
  hook_delete: ['deleteHook', (pao) => pao.deleteHook('x')],
  hook_get: ['getHook', (pao) => pao.getHook('x')],
  hook_list: ['listHooks', (pao) => pao.listHooks(page)],
  hook_rotate: ['rotateHook', (pao) => pao.rotateHook('x', { grace_seconds: 5, secret: 'x'.repeat(16) })],
  run_approval: ['decideStep', (pao) => pao.decideStep('x', 'ask', { decision: 'deny' })],
  run_cancel: ['cancelRun', (pao) => pao.cancelRun('x')],
  run_get: ['getRun', (pao) => pao.getRun('x')],
  run_list: [
    'listRuns',
    (pao) => pao.listRuns({ ...page, taskId: 't', status: 'dead', since: '2026-01-01T00:00:00Z' }),
  ],
  run_replay: ['replayRun', (pao) => pao.replayRun('x', 'one', { again: true })],
  run_resolve: [
    'resolveRun',
    (pao) => pao.resolveRun('x', { outcome: 'done', step: 's', output: 1, comment: 'c' }),
  ],
  schedule_preview: [
    'previewSchedule',
    (pao) => pao.previewSchedule({ kind: 'cron', expr: '0 9 * * *', timezone: 'UTC' }, 3),
  ],
  secret_change_record: [
    'recordSecretChange',
    (pao) => pao.recordSecretChange({ change: 'set', name: 'A', tools: ['a.*'], agents: ['a'] }),
  ],
  spend_today: ['spendToday', (pao) => pao.spendToday()],
  secret_list: ['listSecrets', (pao) => pao.listSecrets()],
  task_apply: ['applyTask', (pao) => pao.applyTask(task)],
  task_cancel: ['cancelTask', (pao) => pao.cancelTask('x')],
  task_create: ['createTask', (pao) => pao.createTask(task)],
  task_delete: ['deleteTask', (pao) => pao.deleteTask('x')],
  task_explain: ['explainTask', (pao) => pao.explainTask('x', '2026-01-01T00:00:00Z')],
  task_get: ['getTask', (pao) => pao.getTask('x')],
  task_get_by_name: ['findTask', (pao) => pao.findTask('a-name')],
  task_list: ['listTasks', (pao) => pao.listTasks({ ...page, state: 'active', search: 'a' })],
  task_occurrences: [
    'occurrences',
    (pao) => pao.occurrences('x', { from: '2026-01-01T00:00:00Z', count: 3 }),
  ],
  task_pause: ['pauseTask', (pao) => pao.pauseTask('x', 'because')],
  task_resume: ['resumeTask', (pao) => pao.resumeTask('x', 'latest')],
  task_rollback: ['rollbackTask', (pao) => pao.rollbackTask('x', 2)],
  task_run_now: ['runTask', (pao) => pao.runTask('x', { params: { a: 1 }, force: true })],
  task_skip: ['skipTask', (pao) => pao.skipTask('x')],
  task_snooze: ['snoozeTask', (pao) => pao.snoozeTask('x', { seconds: 5 })],
  task_update: ['updateTask', (pao) => pao.updateTask('x', { title: 'T' })],
  task_versions: ['taskVersions', (pao) => pao.taskVersions('x', page)],
  token_create: [
    'createToken',
    (pao) => pao.createToken('x', { label: 'l', scopes: ['tasks:read'], revoke_others_after_seconds: 5 }),
  ],
  token_revoke: ['revokeToken', (pao) => pao.revokeToken('x', 'y')],
  tool_call: ['callTool', (pao) => pao.callTool('a.b', { x: 1 }, { toolTimeoutMs: 5 })],
  tool_create: ['createTool', (pao) => pao.createTool(tool)],
  tool_delete: ['deleteTool', (pao) => pao.deleteTool('a.b')],
  tool_get: ['getTool', (pao) => pao.getTool('a.b')],
  tool_import: ['importTools', (pao) => pao.importTools({ tools: [] })],
  tool_list: ['listTools', (pao) => pao.listTools({ ...page, prefix: 'a' })],
  tool_put: ['putTool', (pao) => pao.putTool(tool)],
  worker_list: ['listServices', (pao) => pao.listServices()],
};

/** Methods made of the others, of the stream, or the way out for what has none. */
const OTHERS = ['checkTask', 'findAgent', 'waitForRun', 'waitForMessages', 'streamEvents', 'request'];

interface Sent {
  method: string;
  url: URL;
  body: string;
}
let server: Server;
let client: PaoClient;
let sent: Sent[];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      sent.push({ method: request.method as string, url: new URL(request.url as string, 'http://x'), body });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[]}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  client = new PaoClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterAll(() => new Promise<void>((done) => server.close(() => done())));

const ajv = addFormats.default(new Ajv2020({ strict: false }));

test('every operation of the document has a method, and every method an operation', () => {
  expect(Object.keys(CALLS).sort()).toEqual(documented.map(({ operationId }) => operationId).sort());
  const methods = Object.getOwnPropertyNames(PaoClient.prototype).filter((name) => name !== 'constructor');
  const made = [...Object.values(CALLS).map(([method]) => method), ...OTHERS];
  expect(methods.sort()).toEqual(made.sort());
});

test('every answer is in the document, under each status, and one that differs from it is noticed', () => {
  for (const { operationId, responses } of all)
    for (const [status, { content }] of Object.entries(responses))
      expect([operationId, status, content !== undefined]).toEqual([operationId, status, status !== '204']);
  const given = { method: 'GET', path: '/v1/agenda?hours=3', status: 200, contentType: 'application/json' };
  const body = {
    from: '2026-11-24T06:30:00.000Z',
    until: '2026-11-24T07:30:00.000Z',
    items: [],
    truncated: false,
  };
  checkAnswer({ ...given, body });
  expect(() => checkAnswer({ ...given, body: { ...body, more: 1 } })).toThrow(/agenda answered 200.*"more"/s);
  expect(() => checkAnswer({ ...given, body: { ...body, until: 'soon' } })).toThrow(/\/until .*date-time/s);
  expect(() => checkAnswer({ ...given, body: { ...body, items: [{}] } })).toThrow(/\/items\/0 .*'at'/s);
  expect(() => checkAnswer({ ...given, status: 201, body })).toThrow(/agenda answered 201, which/);
  expect(() => checkAnswer({ ...given, status: 404, body })).toThrow(
    /as application\/json, not as application\/problem/,
  );
  expect(() => checkAnswer({ ...given, method: 'DELETE', path: '/v1/hooks/x', status: 204, body })).toThrow(
    /with a body/,
  );
});

test.each(documented.map((one) => [one.operationId, one] as const))(
  '%s: the client asks as the document says',
  async (id, one) => {
    sent = [];
    await CALLS[id]?.[1](client);
    const [request] = sent;
    expect(request?.method).toBe(one.method);
    const template = new RegExp(`^${one.path.replace(/\\./g, '\\.').replace(/\{[a-z_]+\}/g, '[^/]+')}$`);
    expect(request?.url.pathname).toMatch(template);
    const known = one.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    for (const name of request?.url.searchParams.keys() ?? []) expect(known).toContain(name);
    const schema = one.requestBody?.content['application/json']?.schema;
    if (schema === undefined) expect(['', '{}']).toContain(request?.body);
    else {
      const check = ajv.compile(schema);
      expect({ valid: check(JSON.parse(request?.body ?? '')), errors: check.errors }).toEqual({
        valid: true,
        errors: null,
      });
    }
  },
);

test('the examples of docs/client.md run against a real API, as they are written', async () => {
  const text = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);
  expect(examples).toHaveLength(2);
  const api = await startTestApi();
  // Beside the built package, so that 'pao/client' is found as a user's program finds it.
  const folder = mkdtempSync(fileURLToPath(new URL('../../dist/example-', import.meta.url)));
  try {
    const outputs: string[] = [];
    for (const [index, code] of examples.entries()) {
      const file = join(folder, `${index}.mjs`);
      writeFileSync(file, code);
      const env = { ...process.env, PAO_URL: api.url, PAO_TOKEN: api.admin };
      outputs.push((await promisify(execFile)(process.execPath, [file], { env })).stdout);
    }
    expect(outputs[0]).toMatch(/^every weekday at 09:00 \(Europe\/Berlin\).*\ncreated\n$/s);
    expect(outputs[1]).toMatch(/say-hello .*\/name .*\/pipeline\/0\/uses .*order\.placed\n$/s);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await api.close();
  }
});
