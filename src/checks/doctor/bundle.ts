import { createWriteStream } from 'node:fs';
import { arch, cpus, freemem, hostname, platform, release, totalmem, uptime } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { lastLogLines } from '../../cli/log-file.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { databaseStatus } from '../../server/maintenance/database-status.js';
import type { SuiteReport } from '../check.js';
import { shownSettings } from './configuration.js';
import type { DoctorContext } from './context.js';
import { secretFinder } from './secret-finder.js';

const LOG_LINES = 5000;
const README = `What pao doctor --bundle found, for whoever helps.

report.json    every check, with what it saw
system.json    this machine
settings.json  each setting and where it came from, and the names (not the values) of variables of pao
database.json  version, sizes and rows of each table; nothing of what is in them
log.txt        the last lines of the log
run.json       what runs

Values of secrets, tokens and passwords are replaced by ***. Names of tasks, agents and files are in it: look through it
before you pass it on.
`;

/**
 * Writes a support archive (tar.gz, for its owner alone) in which no secret is.
 * @throws PaoError PAO_FILE_EXISTS, PAO_FILE_UNWRITABLE (exit 2).
 */
export async function writeBundle(
  file: string,
  context: DoctorContext,
  report: SuiteReport,
): Promise<{ files: string[] }> {
  const hide = await secretFinder(context);
  const entries: [name: string, content: string][] = [
    ['README.txt', README],
    ['report.json', json(report)],
    ['system.json', json(systemFacts(context))],
    ['settings.json', json(await settingFacts(context))],
    ['database.json', json(await databaseFacts(context))],
    ['run.json', json(context.running())],
    ['log.txt', await logText(context)],
  ];
  const tar = pack();
  for (const [name, content] of entries)
    tar.entry({ name: `pao-doctor/${name}`, mode: 0o600 }, hide(content));
  tar.finalize();
  try {
    await pipeline(tar, createGzip(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isThere = code === 'EEXIST';
    throw new PaoError(
      isThere ? 'PAO_FILE_EXISTS' : 'PAO_FILE_UNWRITABLE',
      isThere ? `${file} is there already.` : `${file} can not be written (${code}).`,
      { exitCode: EXIT.usage, hints: ['pao doctor --bundle ANOTHER.tar.gz'], cause: error },
    );
  }
  return { files: entries.map(([name]) => name) };
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

function systemFacts({ place }: DoctorContext) {
  return {
    pao: place.version,
    root: place.packageRoot,
    node: process.versions,
    platform: platform(),
    release: release(),
    arch: arch(),
    host: hostname(),
    cpus: cpus().length,
    memory_bytes: totalmem(),
    free_memory_bytes: freemem(),
    uptime_seconds: Math.round(uptime()),
    time: new Date(place.now()).toISOString(),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    locale: Intl.DateTimeFormat().resolvedOptions().locale,
  };
}

async function settingFacts(context: DoctorContext) {
  const { env, home, cwd } = context.place;
  const variables = Object.keys(env)
    .filter((name) => /^(PAO_|DATABASE_URL$|REDIS_URL$|NODE_|TZ$|LANG$|LC_)/.test(name))
    .sort();
  const loaded = await context.config().catch((error: unknown) => String(error));
  const settings = typeof loaded === 'string' ? { error: loaded } : shownSettings(loaded);
  return { home, cwd, variables, file: typeof loaded === 'string' ? null : loaded.file, settings };
}

async function databaseFacts(context: DoctorContext): Promise<unknown> {
  try {
    return await databaseStatus(await context.databaseUrl(), { home: context.place.home, depth: 'quick' });
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function logText(context: DoctorContext): Promise<string> {
  const file = context.path('logs', 'pao.log');
  const found = await lastLogLines(file, LOG_LINES, () => true).catch(() => null);
  return found === null ? `There is no ${file}.\n` : `${found.lines.join('\n')}\n`;
}
