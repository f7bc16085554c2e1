import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { buildIfStale } from '../../scripts/build.mjs';
import type { DoctorContext } from '../../src/checks/doctor/context.js';
import { doctor } from '../../src/checks/doctor/suite.js';
import { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import type { ToolInput } from '../../src/domain/tool.js';
import { noteChannelProblem } from '../../src/server/deliver/questions/channel-problem.js';
import { toolSchema } from '../../src/domain/tool.js';
import { processStart, writeRunFile } from '../../src/server/supervisor/run-file.js';
import { seed, specOf, T0 } from '../contract/fixtures.js';
import { until } from '../e2e/start-pao.js';
import { aPlace, packageRoot, type TestPlace } from './a-place.js';
import { sabotage } from './sabotage.js';

const MCP_SERVER = fileURLToPath(new URL('../server/tools/fixtures/stdio-server.mjs', import.meta.url));
let place: TestPlace;
let undo: (() => Promise<unknown> | unknown)[];

beforeEach(async () => {
  place = await aPlace();
  undo = [];
});
afterEach(async () => {
  for (const one of undo.reverse()) await one();
  place.remove();
});

/** Runs Node with a script until the test is over; resolves once it has written something. */
async function background(script: string, env: Record<string, string> = {}): Promise<number> {
  const child = spawn(process.execPath, ['-e', script], {
    cwd: packageRoot,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.push(() => child.kill('SIGKILL'));
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text))),
  );
  return Number(said.trim()) || (child.pid as number);
}

async function listen(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  undo.push(() => new Promise((done) => server.close(done)));
  return (server.address() as AddressInfo).port;
}

const http = (answer: RequestListener) => listen(createHttpServer({ keepAlive: false } as object, answer));

describe('a running pao', () => {
  let system: EphemeralSystem;
  beforeAll(async () => {
    await buildIfStale();
    system = await EphemeralSystem.start({ packageRoot, signal: new AbortController().signal });
  });
  afterAll(() => system?.dispose());

  const look = (changes: Parameters<TestPlace['look']>[0] = {}): DoctorContext =>
    place.look({ home: system.home, now: Date.now, ...changes });
  const stopped = (slot: string) => {
    const pid = system.pids[slot] as number;
    process.kill(pid, 'SIGSTOP');
    undo.push(() => process.kill(pid, 'SIGCONT'));
  };

  sabotage(doctor, 'processes.version', 'a server of another version', (fails) =>
    fails(look({ version: '9.9.9' }), /runs, and 9\.9\.9 is installed/, { status: 'warned' }),
  );

  sabotage(doctor, 'processes.clock', 'a clock that is an hour off', (fails) =>
    fails(look({ now: () => Date.now() - 3_600_000 }), /server's clock is (1h|59m 5\ds) ahead of this one/),
  );

  sabotage(doctor, 'processes.workers', 'a worker that was stopped', (fails) => {
    stopped('w1');
    return fails(look({ now: () => Date.now() + 60_000 }), /w1 \(process \d+\) gave its last sign of life/);
  });

  sabotage(doctor, 'processes.health', 'an API that does not answer', (fails) => {
    stopped('api');
    return fails(look(), /runs \(process \d+\), and http.* does not answer/);
  });
});

describe('processes', () => {
  const runFile = (pid: number) =>
    writeRunFile(place.home, {
      pid,
      process_start: processStart(pid),
      url: 'http://127.0.0.1:1',
      version: '1.2.3',
      started_at: new Date(T0).toISOString(),
      home: place.home,
      database: place.path,
      log_file: '',
    });

  sabotage(
    doctor,
    'processes.lock',
    'a holder that is not ready, and one that holds nothing',
    async (fails) => {
      const lock = join(place.home, 'run', 'lock.db');
      mkdirSync(join(place.home, 'run'));
      const holder = await background(
        `const Driver = require(Number(process.versions.node.split('.')[0]) >= 22 ? 'better-sqlite3-v13' : 'better-sqlite3');
       const held = new Driver(process.env.LOCK); held.exec('BEGIN EXCLUSIVE');
       console.log(process.pid); setInterval(() => held.inTransaction, 1000);`,
        { LOCK: lock },
      );
      await fails(place.look(), new RegExp(`Process ${holder} holds .*, and is not ready`));
      process.kill(holder, 'SIGKILL');
      await until(
        'the holder to be gone',
        () => processStart(holder) === null || processStart(holder) === 'zombie',
      );
      runFile(process.pid);
      await fails(place.look(), /says that it runs here, and does not hold the data directory/);
    },
  );

  sabotage(doctor, 'processes.port', 'a port that something else has', async (fails) => {
    const port = await listen(createServer());
    writeFileSync(join(place.home, 'pao.config.yaml'), `port: ${port}\n`);
    await fails(place.look(), new RegExp(`Port ${port} is in use by .* \\(process ${process.pid}\\)`));
  });

  sabotage(doctor, 'processes.orphans', 'a service that outlived its supervisor', async (fails) => {
    const service = join(place.home, 'service.cjs');
    writeFileSync(
      service,
      `require('fs').openSync(${JSON.stringify(place.path)}, 'r'); process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
       process.stdout.write(process.pid + '\\n');`,
    );
    const orphan = await background(
      `require('child_process').spawn(process.execPath, [${JSON.stringify(service)}], { detached: true, stdio: ['ignore', 'inherit', 'ignore'] }).unref();`,
    );
    undo.push(() => process.kill(orphan, 'SIGKILL'));
    await fails(place.look(), new RegExp(`Process ${orphan} of pao lost`));
  });
});

describe('services', () => {
  const closed = async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    undo.pop();
    return port;
  };

  sabotage(doctor, 'services.postgres', 'a PostgreSQL that is not there', async (fails) => {
    const env = { DATABASE_URL: `postgres://pao:secret@127.0.0.1:${await closed()}/pao` };
    await fails(
      place.look({ env }),
      /PostgreSQL at postgres:\/\/pao:\*\*\*@.* can not be used: ECONNREFUSED/,
    );
  });

  sabotage(doctor, 'services.redis', 'a Redis that is not there, and one that refuses', async (fails) => {
    const env = (port: number) => ({ REDIS_URL: `redis://127.0.0.1:${port}` });
    await fails(place.look({ env: env(await closed()) }), /Redis at .* can not be used: ECONNREFUSED/);
    const port = await listen(
      createServer((socket) => socket.on('data', () => socket.write('-NOAUTH Authentication required.\r\n'))),
    );
    await fails(place.look({ env: env(port) }), /it answers -NOAUTH/);
  });
});

describe('tools', () => {
  const add = (tool: ToolInput) =>
    place.use((store) =>
      store.putTool({ tool: toolSchema.parse(tool), createdBy: 'test', createdAt: T0, updatedAt: T0 }),
    );
  const httpTool = (url: string): ToolInput => ({ address: 'news.top', kind: 'http', http: { url } });
  const model = (port: number, name: string): ToolInput => ({
    address: 'llm.chat',
    kind: 'llm',
    llm: {
      provider: 'openai',
      base_url: `http://127.0.0.1:${port}/v1`,
      model: name,
      api_key: '${secrets.LLM_KEY}',
    },
  });

  sabotage(doctor, 'tools.known', 'a pipeline that uses a tool which is not there', async (fails) => {
    await add(httpTool('http://127.0.0.1:1/'));
    const pipeline = [{ id: 'one', uses: 'news.topp', with: {} }] as never;
    await place.use((store) => seed(store, specOf({ pipeline })));
    await fails(place.look(), /a-task uses news\.topp, which is not in the catalog \(news\.top is\)/);
  });

  sabotage(doctor, 'tools.secrets', 'a secret that nobody set', async (fails) => {
    await add(model(1, 'small'));
    await fails(place.look(), /llm\.chat needs the secret LLM_KEY/);
  });

  sabotage(doctor, 'tools.reachable', 'a server that is gone', async (fails) => {
    await add(httpTool('http://127.0.0.1:1/news'));
    await fails(place.look(), /http:\/\/127\.0\.0\.1:1 does not answer/, { status: 'warned' });
  });

  sabotage(doctor, 'tools.clock', 'a clock that is off by the Date of other servers', async (fails) => {
    const port = await http((_, response) =>
      response.setHeader('date', new Date(T0 + 3_600_000).toUTCString()).end(),
    );
    await add(httpTool(`http://127.0.0.1:${port}/`));
    await fails(place.look(), /This machine's clock is 1h behind that of/);
  });

  sabotage(doctor, 'tools.channels', 'a bot whose updates go to another program', async (fails) => {
    const problem = { kind: 'webhook' as const, message: 'It has a webhook.', hint: 'Remove it.', since: T0 };
    await place.use((store) => noteChannelProblem(store, 'me', problem));
    await fails(place.look(), /channel\.me: It has a webhook\.\nRemove it\./, { status: 'warned' });
  });

  sabotage(doctor, 'tools.mcp', 'a server that does not start, and one whose tool changed', async (fails) => {
    const tool = (input_schema: Record<string, unknown>, env: Record<string, string>): ToolInput => ({
      address: 'math.add',
      kind: 'mcp',
      input_schema,
      mcp: {
        server: { name: 'math', transport: 'stdio', command: process.execPath, args: [MCP_SERVER], env },
        tool: 'add',
      },
    });
    await add(tool({ type: 'object' }, { BROKEN: 'the calendar' }));
    await fails(place.look(), /math.*cannot open the calendar/s);
    await add(tool({ type: 'object', properties: { a: { type: 'string' } } }, {}));
    await fails(place.look(), /math\.add takes another input than when it was imported/, {
      status: 'warned',
    });
  });

  sabotage(doctor, 'tools.llm', 'a model that is not there, and a key that is refused', async (fails) => {
    let status = 200;
    const port = await http((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ data: [{ id: 'small-v2' }] }));
    });
    await add(model(port, 'small-v1'));
    const env = { PAO_SECRET_LLM_KEY: 'a-secret-key' };
    await fails(place.look({ env }), /has no model small-v1; small-v2 it has/, { status: 'warned' });
    status = 401;
    await fails(place.look({ env }), /refuses the key \(401\)/);
  });
});
