import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';
import { WEB_PORT } from './templates/briefing.js';
import type { DemoServerReady } from './run-demo-server.js';

/** The demo servers that listen on a port. The calendar speaks over stdio and is started by pao itself. */
export const DEMO_SERVER_NAMES = ['weather', 'mail', 'chat', 'telegram', 'web'] as const;
export type DemoServerName = (typeof DEMO_SERVER_NAMES)[number];

/** Where the demo servers listen unless something else does. */
export const DEMO_PORTS: Record<DemoServerName, number> = {
  weather: 4181,
  mail: 4182,
  chat: 4183,
  telegram: 4184,
  web: WEB_PORT,
};

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5000;

/** What `.pao-demo/servers.json` says about the demo servers that were started. */
export interface DemoGroup {
  /** The process that watches over the others; its id is also that of the process group. */
  pid: number;
  servers: DemoServerReady[];
}

export interface StartDemoOptions {
  /** The folder of the demo: logs, mailbox, `servers.json`. */
  directory: string;
  /** The bundled (or, in tests, the source) entry of the group process. */
  entry: string;
  /** Arguments of node before the entry; none for the bundle. */
  nodeArguments: string[];
  ports: Record<DemoServerName, number>;
  tokens: { mail: string; telegram: string };
}

const recordPath = (directory: string): string => join(directory, 'servers.json');

/** The ports of the demo servers that a record names. */
export function portsOf(group: DemoGroup): Record<DemoServerName, number> {
  const ports = { ...DEMO_PORTS };
  for (const { name, port } of group.servers) ports[name as DemoServerName] = port;
  return ports;
}

/** What was recorded when demo servers were last started here; null when there is no record. */
export async function readDemoGroup(directory: string): Promise<DemoGroup | null> {
  try {
    return JSON.parse(await readFile(recordPath(directory), 'utf8')) as DemoGroup;
  } catch {
    return null;
  }
}

/** Which of the recorded servers run: a server is known by the process id it tells, not by its port. */
export async function findRunning(group: DemoGroup): Promise<DemoServerReady[]> {
  const answers = await Promise.all(group.servers.map(answersAsItself));
  return group.servers.filter((_, index) => answers[index]);
}

async function answersAsItself(server: DemoServerReady): Promise<boolean> {
  try {
    const response = await fetch(`${server.url}/demo`, { signal: AbortSignal.timeout(2000) });
    const body = (await response.json()) as { demo?: unknown; pid?: unknown };
    return body.demo === server.name && body.pid === server.pid;
  } catch {
    return false;
  }
}

/**
 * Starts the demo servers as one detached process group and records them.
 * @throws PaoError PAO_DEMO_START when one of them does not start.
 */
export async function startDemoGroup(options: StartDemoOptions): Promise<DemoGroup> {
  const { directory, entry, ports, tokens } = options;
  const logPath = join(directory, 'group.log');
  const log = openSync(logPath, 'a', 0o600);
  const flags = DEMO_SERVER_NAMES.flatMap((name) => [`--${name}`, String(ports[name])]);
  const child = spawn(
    process.execPath,
    [...options.nodeArguments, entry, '--directory', directory, ...flags],
    {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: {
        ...environmentOf(['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot', 'TZ', 'LANG']),
        PAO_DEMO_MAIL_TOKEN: tokens.mail,
        PAO_DEMO_TELEGRAM_TOKEN: tokens.telegram,
      },
    },
  );
  closeSync(log);
  try {
    const group = await new Promise<DemoGroup>((resolve, reject) => {
      const fail = (why: string): void => {
        reject(
          new PaoError('PAO_DEMO_START', `The demo servers did not start: ${why}`, {
            exitCode: EXIT.unavailable,
            hints: [`cat ${logPath}`],
          }),
        );
      };
      const timer = setTimeout(() => fail('they were not ready in a minute.'), START_TIMEOUT_MS);
      child.once('error', (error) => fail(error.message));
      child.once('exit', (code) => fail(`the process ended with code ${code}.`));
      child.once('message', (message: { servers?: DemoServerReady[]; error?: string }) => {
        clearTimeout(timer);
        if (message.servers) resolve({ pid: child.pid as number, servers: message.servers });
        else fail(message.error ?? 'no reason was given.');
      });
    });
    await writeFile(recordPath(directory), `${JSON.stringify(group, null, 2)}\n`, { mode: 0o600 });
    return group;
  } catch (error) {
    child.kill('SIGTERM');
    throw error;
  } finally {
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

const environmentOf = (names: string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );

/**
 * Stops the recorded demo servers. Only processes that answer as the recorded ones are signalled: after a reboot the
 * process ids may be somebody else's.
 * @returns the servers that were stopped.
 */
export async function stopDemoGroup(directory: string): Promise<DemoServerReady[]> {
  const group = await readDemoGroup(directory);
  if (!group) return [];
  const running = await findRunning(group);
  if (running.length > 0) {
    signal(group, running, 'SIGTERM');
    if (!(await allGone(group))) signal(group, running, 'SIGKILL');
    if (!(await allGone(group))) {
      throw new PaoError('PAO_DEMO_STOP', `The demo servers do not stop (process group ${group.pid}).`, {
        hints: [`kill -9 -${group.pid}`],
      });
    }
  }
  await rm(recordPath(directory), { force: true });
  return running;
}

function signal(group: DemoGroup, running: DemoServerReady[], name: 'SIGTERM' | 'SIGKILL'): void {
  const targets = process.platform === 'win32' ? running.map((server) => server.pid) : [-group.pid];
  for (const target of targets) {
    try {
      process.kill(target, name);
    } catch {
      // It went by itself meanwhile.
    }
  }
}

async function allGone(group: DemoGroup): Promise<boolean> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if ((await findRunning(group)).length === 0) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
