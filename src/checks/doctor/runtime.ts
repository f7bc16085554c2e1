import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckTools } from '../check.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful } from './finding.js';

const OLDEST_NODE = [20, 19] as const;
/** Offsets that tell whether zone data is there and recent: instant, zone, minutes east of UTC. */
const KNOWN_OFFSETS: readonly [instant: string, zone: string, minutes: number][] = [
  ['2026-03-29T00:59:00Z', 'Europe/Berlin', 60],
  ['2026-03-29T01:00:00Z', 'Europe/Berlin', 120],
  ['2026-07-01T00:00:00Z', 'America/Mexico_City', -360],
  ['2026-07-01T00:00:00Z', 'Asia/Amman', 180],
  ['2026-01-15T00:00:00Z', 'Asia/Almaty', 300],
];
const FEWEST_FILES = 256;

export const runtimeChecks: readonly DoctorCheck[] = [
  {
    id: 'runtime.node',
    title: 'Node.js is one that pao runs on',
    group: 'Runtime',
    async run({ place }) {
      const [major = 0, minor = 0] = place.nodeVersion.replace(/^v/, '').split('.').map(Number);
      const evidence = { node: place.nodeVersion, platform: process.platform, arch: process.arch };
      const [wantedMajor, wantedMinor] = OLDEST_NODE;
      if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
        throw broken({
          what: `Node.js ${place.nodeVersion} is too old: pao needs ${OLDEST_NODE.join('.')} or newer.`,
          why: 'What pao is built on uses functions it does not have.',
          command: 'nvm install 22',
          evidence,
        });
      }
      if (major % 2 === 1) {
        throw doubtful({
          what: `Node.js ${place.nodeVersion} is an odd release.`,
          why: 'Odd releases end after half a year, and pao is tested on 20, 22 and 24.',
          command: 'nvm install 22',
          evidence,
        });
      }
      return evidence;
    },
  },
  {
    id: 'runtime.zones',
    title: 'The time zone database of Node.js is there and right',
    group: 'Runtime',
    async run({ place }) {
      const evidence = { tz: process.versions['tz'] ?? null, icu: process.versions['icu'] ?? null };
      for (const [instant, zone, minutes] of KNOWN_OFFSETS) {
        const found = place.offsetAt(instant, zone);
        if (found === minutes) continue;
        throw broken({
          what: `Node.js puts ${zone} ${found === null ? 'nowhere' : `${found} minutes from UTC`} at ${instant}; it is ${minutes}.`,
          why: 'Tasks in that zone run at the wrong hour.',
          command: 'npm install --global node@latest',
          evidence,
        });
      }
      return { ...evidence, zones: Intl.supportedValuesOf('timeZone').length };
    },
  },
  {
    id: 'runtime.sqlite',
    title: 'The SQLite driver loads',
    group: 'Runtime',
    timeoutMs: 15_000,
    run: ({ place }, tools) => tryDriver(place.packageRoot, tools),
  },
  {
    id: 'runtime.package',
    title: 'The package is whole',
    group: 'Runtime',
    async run({ place }) {
      const wanted = ['package.json', 'oclif.manifest.json', 'bin/run.cjs', 'dist/service.cjs'];
      const missing = wanted.filter((name) => !existsSync(join(place.packageRoot, name)));
      if (missing.length > 0) {
        throw broken({
          what: `The package in ${place.packageRoot} lacks ${missing.join(', ')}.`,
          why: 'pao can not start its services without them.',
          command: existsSync(join(place.packageRoot, 'src')) ? 'npm run build' : 'npm install --global pao',
          evidence: { missing },
        });
      }
      return { version: place.version, root: place.packageRoot };
    },
  },
  {
    id: 'runtime.limits',
    title: 'The limits of this process are wide enough',
    group: 'Runtime',
    async run({ place }) {
      const files = openFilesLimit(place);
      if (files === null) return { open_files: null };
      if (files < FEWEST_FILES) {
        throw doubtful({
          what: `A process may open ${files} files at once.`,
          why: 'Database, log, connections of tools and of clients are files: work stops when they run out.',
          command: 'ulimit -n 4096',
          evidence: { open_files: files },
        });
      }
      return { open_files: files };
    },
  },
];

/** In a child process: a driver that was built for another Node may end the process that loads it. */
async function tryDriver(root: string, { signal }: CheckTools) {
  const name = Number(process.versions.node.split('.')[0]) >= 22 ? 'better-sqlite3-v13' : 'better-sqlite3';
  const script = `
    const Driver = require(require.resolve(${JSON.stringify(name)}, { paths: [${JSON.stringify(root)}] }));
    const database = new Driver(':memory:');
    process.stdout.write(database.prepare('SELECT sqlite_version() AS version').get().version);
    database.close();`;
  const { code, killedBy, stdout, stderr } = await new Promise<{
    code: number | null;
    killedBy: string | null;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['-e', script],
      { signal, env: { PATH: process.env['PATH'] } },
      (_, out, err) =>
        resolve({ code: child.exitCode, killedBy: child.signalCode, stdout: out, stderr: err }),
    );
  });
  signal.throwIfAborted();
  const evidence = { driver: name, node_abi: process.versions.modules };
  if (code === 0) return { ...evidence, sqlite: stdout };
  const reason =
    killedBy !== null
      ? `it ended with ${killedBy}`
      : (/^\S*Error: (.*)$/m.exec(stderr)?.[1] ?? `it ended with exit code ${code}`);
  throw broken({
    what: `The SQLite driver ${name} does not load: ${reason}`,
    why: 'Without it there is no database. It is built for one version of Node.js.',
    command: 'npm rebuild better-sqlite3',
    evidence: { ...evidence, stderr: stderr.slice(-500) },
  });
}

/** Minutes a zone is east of UTC at an instant, as Node.js has it; null when it does not know the zone. */
export function offsetAt(instant: string, timeZone: string): number | null {
  try {
    const parts = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' }).formatToParts(
      new Date(instant),
    );
    const text = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const match = /^GMT(?:([+-])(\d\d):(\d\d))?$/.exec(text);
    if (!match) return null;
    const minutes = Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0);
    return match[1] === '-' ? -minutes : minutes;
  } catch {
    return null;
  }
}

function openFilesLimit({ limitsFile }: DoctorContext['place']): number | null {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync(limitsFile, 'utf8'));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}
