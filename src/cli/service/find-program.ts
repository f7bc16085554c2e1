import { readFileSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDuration } from '../../domain/duration.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { shellWord } from '../../domain/shell-word.js';
import { KNOWN_ENVIRONMENT, loadConfig } from '../../server/config.js';
import { readDatabaseUrl } from '../../server/store/database-url.js';
import type { ServiceProgram } from './program.js';
import { environmentFile } from './systemd-unit.js';
import { goesAwayWith } from './version-manager.js';

/** Something about a service that a person should know. */
export interface ServiceRemark {
  message: string;
  /** What to type; null when there is nothing. */
  hint: string | null;
}

export interface ProgramSituation {
  env: NodeJS.ProcessEnv;
  cwd: string;
  home: string;
  /** The folder of the package. */
  packageRoot: string;
  /** `process.execPath`. */
  execPath: string;
  /** Whether the service reads {@link environmentFile}. */
  hasEnvironmentFile: boolean;
}

/** Besides those that are settings. */
const FILES = ['NODE_EXTRA_CA_CERTS', 'PAO_SECRETS_PASSPHRASE_FILE'];
const CARRIED = [
  ...KNOWN_ENVIRONMENT,
  ...FILES,
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
];
const SECRET = 'PAO_SECRET_';
const PASSPHRASE = 'PAO_SECRETS_PASSPHRASE';
/** What a stop does after the grace of its workers, seconds. */
const AFTER_GRACE_S = 35;
/** The folders of programs where PATH names none. */
const USUAL_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];

/**
 * This Node.js and this pao as a service would run them, with what pao.config.yaml and the environment say here.
 * @throws PaoError (exit 2) when the configuration is wrong, a path can not stand in a file of settings, or a setting
 * that holds a password would have to.
 */
export async function findProgram(
  situation: ProgramSituation,
): Promise<{ program: ServiceProgram; remarks: ServiceRemark[] }> {
  const { env, cwd, home, packageRoot } = situation;
  const { config, file } = await loadConfig({ env, cwd });
  const node = lastingNode(situation.execPath, env['PATH'] ?? '');
  const program: ServiceProgram = {
    node,
    bin: join(packageRoot, 'bin', 'run.cjs'),
    home,
    folder: file === null ? home : dirname(file),
    config: file,
    path: lastingPath(node, env['PATH'] ?? ''),
    settings: settingsOf(situation),
    stopSeconds: Math.max(60, Math.ceil(parseDuration(config.grace) / 1000) + AFTER_GRACE_S),
  };
  refuseControlCharacters(program);
  return { program, remarks: [...lastingRemarks(program), ...secretRemarks(situation)] };
}

/** A path to this very Node.js that an upgrade does not take away, where PATH has one (Homebrew), else its own. */
function lastingNode(execPath: string, path: string): string {
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  const others = folders.map((folder) => join(folder, 'node'));
  const lasting = others.find((one) => goesAwayWith(one) === null && realpath(one) === realpath(execPath));
  return lasting ?? execPath;
}

/** PATH without what is of this shell or project alone, and with the folder of Node.js, where `npx` is. */
function lastingPath(node: string, path: string): string {
  const folders = path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder) && !/node_modules|fnm_multishells/.test(folder))
    .filter((folder) => !folder.startsWith(`${tmpdir()}/`));
  const all = folders.length === 0 ? USUAL_PATH : folders;
  return [...new Set(all.includes(dirname(node)) ? all : [dirname(node), ...all])].join(delimiter);
}

function settingsOf(situation: ProgramSituation): Record<string, string> {
  const { env, cwd } = situation;
  const given = CARRIED.flatMap((name): [string, string][] => {
    const value = env[name];
    if (value === undefined || value === '') return [];
    // A relative file is one of the folder this is typed in.
    if (FILES.includes(name)) return [[name, resolve(cwd, value)]];
    const read = name === 'DATABASE_URL' ? readDatabaseUrl(value) : null;
    if (read?.engine === 'sqlite' && read.path !== ':memory:')
      return [[name, `sqlite:${resolve(cwd, read.path)}`]];
    if (!holdsPassword(value)) return [[name, value]];
    if (situation.hasEnvironmentFile && namesInFile(situation.home).includes(name)) return [];
    throw passwordWouldBeWritten(name, situation);
  });
  return Object.fromEntries(given);
}

/** `scheme://user:password@…`, or a parameter of that name. */
const holdsPassword = (value: string): boolean =>
  /^[a-z][\w+.-]*:\/\/[^/?#@]*:[^/?#@]+@/i.test(value) || /[?&]\w*(password|token|secret)=./i.test(value);

function passwordWouldBeWritten(name: string, { home, hasEnvironmentFile }: ProgramSituation): PaoError {
  const file = environmentFile(home);
  return new PaoError(
    'PAO_SERVICE_PASSWORD',
    `${name} holds a password, which a file that starts pao must not. Without it the service would use another ${name === 'REDIS_URL' ? 'bus' : 'database'}.`,
    {
      exitCode: EXIT.usage,
      hints: hasEnvironmentFile
        ? [`(umask 077; printf '${name}=%s\\n' "$${name}" >> ${shellWord(file)})`, 'pao service install']
        : [`Put ${name.toLowerCase()} into pao.config.yaml (chmod 600), and: unset ${name}`],
    },
  );
}

/** The variables of the environment file. @throws PaoError PAO_SERVICE_ENV_OPEN when others may read it. */
function namesInFile(home: string): string[] {
  const file = environmentFile(home);
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) return [];
  if ((mode & 0o077) !== 0) {
    throw new PaoError('PAO_SERVICE_ENV_OPEN', `${file} may be read by others.`, {
      exitCode: EXIT.forbidden,
      hints: [`chmod 600 ${shellWord(file)}`],
    });
  }
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => /^\s*(\w+)=/.exec(line)?.[1] ?? []);
}

function lastingRemarks({ node, bin }: ServiceProgram): ServiceRemark[] {
  const nodeManager = goesAwayWith(node);
  const binManager = goesAwayWith(bin);
  const remarks: ServiceRemark[] = [];
  if (nodeManager !== null) {
    remarks.push({
      message: `Node.js is the one of ${nodeManager} (${node}): when that version is removed, pao does not start any more.`,
      hint: 'pao service install   again after a change of Node.js; pao doctor says when it is gone',
    });
  }
  if (binManager !== null && binManager !== nodeManager) {
    remarks.push({
      message: `pao itself is in ${bin}, which ${binManager} may remove at any time.`,
      hint: 'npm install --global pao && pao service install',
    });
  }
  return remarks;
}

/** Secrets of this shell, which the service does not see. */
function secretRemarks({ env, ...situation }: ProgramSituation): ServiceRemark[] {
  const inFile = situation.hasEnvironmentFile ? namesInFile(situation.home) : [];
  const names = Object.keys(env).filter(
    (name) => (name.startsWith(SECRET) || name === PASSPHRASE) && env[name] && !inFile.includes(name),
  );
  const [first] = names;
  if (first === undefined) return [];
  const [are, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return [
    {
      message: `${names.join(', ')} ${are} set in this shell alone: a service does not see ${them}.`,
      hint:
        first === PASSPHRASE
          ? `export ${PASSPHRASE}_FILE=/path/to/a/file/of/mode/0600`
          : `printf %s "$${first}" | pao secret set ${first.slice(SECRET.length)}`,
    },
  ];
}

function refuseControlCharacters(program: ServiceProgram): void {
  const { node, bin, home, folder, path, settings } = program;
  for (const value of [node, bin, home, folder, path, ...Object.values(settings)]) {
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u001f\u007f]/.test(value)) {
      throw new PaoError('PAO_SERVICE_PATH', `${JSON.stringify(value)} holds a control character.`, {
        exitCode: EXIT.usage,
        hints: ['export PAO_HOME=~/.local/share/pao'],
      });
    }
  }
}

function realpath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
