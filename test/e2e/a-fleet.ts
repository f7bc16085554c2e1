import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));

export type FleetKind = 'api' | 'scheduler' | 'worker';

/** One service of a fleet: `pao api`, `pao scheduler` or `pao worker`, as a process of its own. */
export interface FleetMember {
  kind: FleetKind;
  child: ChildProcess;
  /** As `--json` says it. */
  ready: { url: string | null; pid: number; service_pid: number; credentials_file: string | null };
  /** Everything it wrote to stderr. */
  log(): string;
  /** Whether the whole member is gone. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A folder for the members of a fleet: their settings, and the credentials of the first API. */
export function fleetHome(settings: string): { home: string; remove(): void } {
  const home = mkdtempSync(join(tmpdir(), 'pao-fleet-'));
  writeFileSync(join(home, 'pao.config.yaml'), settings);
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) };
}

/**
 * Starts a member and waits until it is ready.
 * @param prefix a command to run it under, such as `ip netns exec NAME`.
 * @throws Error with what it wrote when it ends before that.
 */
export async function startMember(
  kind: FleetKind,
  options: {
    home: string;
    database: string;
    args?: string[];
    prefix?: string[];
    env?: Record<string, string>;
  },
): Promise<FleetMember> {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(PAO_|DATABASE_URL$|REDIS_URL$|CI$|NODE_EXTRA_CA_CERTS$)/.test(name),
  );
  const env = {
    ...Object.fromEntries(own),
    PAO_HOME: options.home,
    DATABASE_URL: options.database,
    NO_COLOR: '1',
    ...options.env,
  };
  const argv = [process.execPath, bin, kind, '--json', ...(options.args ?? [])];
  const [command, ...args] = [...(options.prefix ?? []), ...argv] as [string, ...string[]];
  const child = spawn(command, args, { env, cwd: options.home, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  const ready = await new Promise<FleetMember['ready']>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const end = stdout.indexOf('\n');
      if (stdout.startsWith('{"') && end >= 0)
        resolve(JSON.parse(stdout.slice(0, end)) as FleetMember['ready']);
    });
    void ended.then(({ code }) => reject(new Error(`pao ${kind} ended with ${code}:\n${stdout}${stderr}`)));
  });
  return { kind, child, ready, log: () => stderr, ended };
}

/** The administrator's token that the first API wrote. */
export function fleetToken(home: string): string {
  return (JSON.parse(readFileSync(join(home, 'credentials.json'), 'utf8')) as { token: string }).token;
}
