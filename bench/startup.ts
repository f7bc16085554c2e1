import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machine, startSystem } from '../src/checks/bench/running-system.js';

const ROUNDS = Number(process.env['PAO_BENCH_ROUNDS'] ?? 21);
const bin = fileURLToPath(new URL('../bin/run.cjs', import.meta.url));

/** How much slower than `node -e 0` a command may start (issue 2), and what is aimed at. */
const LIMIT = 3;

const SUBJECTS: Record<string, string[]> = {
  node: ['-e', '0'],
  version: [bin, '--version'],
  help: [bin, '--help'],
  command_help: [bin, 'help', 'version'],
  trivial_command: [bin, 'version'],
  // What a person types most, against a server that runs.
  task_list: [bin, 'task', 'list'],
};

const folder = mkdtempSync(join(tmpdir(), 'pao-startup-'));
// Node 20 parses every certificate of that file at each start, which would flatter pao (style.md B.1).
const { NODE_EXTRA_CA_CERTS: _, NODE_OPTIONS: __, ...environment } = process.env;
const env = { ...environment, XDG_CACHE_HOME: folder, PAO_HOME: folder };
const before = machine();
const system = await startSystem({
  packageRoot: fileURLToPath(new URL('..', import.meta.url)),
  signal: new AbortController().signal,
  env: { XDG_CACHE_HOME: folder },
});
env.PAO_HOME = system.home;

try {
  await system.call('POST', '/v1/tasks', { name: 'one', pipeline: [{ id: 'one', uses: 'debug.echo' }] });
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(SUBJECTS).map((name) => [name, []]));
  // The first round fills the code cache. Rounds are interleaved, so that a busy moment hits everything alike.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, args] of Object.entries(SUBJECTS)) {
      const ms = timeOf(args);
      if (round > 0) times[name]?.push(ms);
    }
  }
  // On a shared machine the lower quartile is what the program costs; the median is what the others cost.
  const base = quantile(times['node'] ?? [], 0.25);
  const results = Object.fromEntries(
    Object.entries(times).map(([name, list]) => [
      name,
      {
        p25_ms: round(quantile(list, 0.25)),
        p50_ms: round(quantile(list, 0.5)),
        ratio: round(quantile(list, 0.25) / base),
      },
    ]),
  );
  const worst = Math.max(...Object.values(results).map(({ ratio }) => ratio));
  const report = {
    rounds: ROUNDS,
    node: process.version,
    limit: LIMIT,
    within_limit: worst <= LIMIT,
    machine: { before, after: machine() },
    ready_ms: Math.round(system.readyMs),
    results,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (process.argv.includes('--enforce') && worst > LIMIT) process.exitCode = 1;
} finally {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
}

function timeOf(args: string[]): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
  return ms;
}

function quantile(list: number[], at: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
