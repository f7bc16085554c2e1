import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseDuration } from '../../domain/duration.js';
import { PaoError } from '../../domain/errors.js';
import { nearest } from '../../domain/nearest.js';
import { nearestZone } from '../../domain/nearest-zone.js';
import { hideSecretFields } from '../../domain/secret-fields.js';
import { findUpward, KNOWN_ENVIRONMENT, type LoadedConfig } from '../../server/config.js';
import { readDatabaseUrl, shownDatabase } from '../../server/store/database-url.js';
import { CheckFailure } from '../check.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful, some } from './finding.js';

/** Variables of pao that are no settings. */
const OTHER_VARIABLES = [
  'PAO_HOME',
  'PAO_URL',
  'PAO_TOKEN',
  'PAO_DEBUG',
  'PAO_TEST_CLOCK',
  'PAO_NO_CODE_CACHE',
  'PAO_START_REPORT',
];
const VARIABLE_FAMILIES = /^PAO_(SECRETS?|DEMO|TEST|BENCH)_/;

export const configurationChecks: readonly DoctorCheck[] = [
  {
    id: 'config.valid',
    title: 'The configuration is valid',
    group: 'Configuration',
    async run(context) {
      try {
        const loaded = await context.config();
        return { file: loaded.file, settings: shownSettings(loaded) };
      } catch (error) {
        if (!(error instanceof PaoError)) throw error;
        const lines = error.problems.map(
          ({ pointer, message, hint }) =>
            `${pointer.slice(1) || 'it'} ${message}${hint === undefined ? '' : ` (${hint})`}`,
        );
        const file = findUpward(context.place.cwd, 'pao.config.yaml');
        throw broken({
          what: [error.message, ...lines].join('\n'),
          why: 'pao does not start with it.',
          command:
            file === null ? 'env | grep -E "^(PAO_|DATABASE_URL|REDIS_URL)"' : `\${EDITOR:-vi} ${file}`,
          evidence: { file, problems: error.problems },
        });
      }
    },
  },
  {
    id: 'config.environment',
    title: 'Every PAO_ variable is one that pao reads',
    group: 'Configuration',
    async run({ place }) {
      const known = [...KNOWN_ENVIRONMENT, ...OTHER_VARIABLES];
      const set = Object.keys(place.env).filter((name) => name.startsWith('PAO_'));
      const unknown = set.filter((name) => !known.includes(name) && !VARIABLE_FAMILIES.test(name));
      if (unknown.length === 0) return { set };
      const guesses = unknown.map((name) => {
        const near = nearest(name, known);
        return near === null ? name : `${name} (did you mean ${near}?)`;
      });
      throw doubtful({
        what: `pao does not know ${some(guesses, 5)}.`,
        why: 'What was meant by it has no effect.',
        command: `unset ${unknown.join(' ')}`,
        evidence: { unknown },
      });
    },
  },
  {
    id: 'config.conflicts',
    title: 'Settings do not contradict each other',
    group: 'Configuration',
    needs: ['config.valid'],
    async run(context) {
      const found = await conflicts(context);
      if (found.length === 0) return {};
      throw doubtful({
        what: found.map(({ what }) => what).join('\n'),
        why: 'You may look at another system than the one you mean.',
        command: found[0]?.command ?? 'pao doctor --verbose',
        evidence: { conflicts: found.map(({ what }) => what) },
      });
    },
  },
  {
    id: 'config.harmful',
    title: 'No setting takes away what pao promises',
    group: 'Configuration',
    needs: ['config.valid'],
    async run(context) {
      const found = harmful(await context.config(), context.place.env);
      if (found.length === 0) return {};
      throw doubtful({
        what: found.map(({ what }) => what).join('\n'),
        why: 'It works, with less than pao promises.',
        command: found[0]?.command ?? 'pao doctor --verbose',
        evidence: { settings: found.map(({ what }) => what) },
      });
    },
  },
  {
    id: 'config.timezone',
    title: 'Time zones of this machine and of the configuration exist',
    group: 'Time',
    async run(context) {
      const { env } = context.place;
      const configured = await context.config().then(
        ({ config }) => config.timezone,
        () => undefined,
      );
      // A zone of the configuration that there is not is a setting that is not valid.
      const zone = env['TZ']?.replace(/^:/, '') ?? '';
      if (zone !== '' && !zone.startsWith('/') && !isZone(zone)) {
        const near = nearestZone(zone);
        throw new CheckFailure(
          `TZ names the time zone "${zone}", which does not exist.${near === null ? '' : ` Did you mean ${near}?`}\nTimes are shown, and offered, in UTC instead.`,
          near === null ? 'timedatectl list-timezones' : `export TZ=${near}`,
          { where: 'TZ', zone },
        );
      }
      return { machine: Intl.DateTimeFormat().resolvedOptions().timeZone, configured: configured ?? null };
    },
  },
];

/** Each value and where it came from; a password is not shown. */
export function shownSettings({
  config,
  sources,
}: LoadedConfig): Record<string, { value: unknown; from: string }> {
  return Object.fromEntries(
    Object.entries(sources).map(([key, from]) => {
      const value = config[key as keyof typeof config];
      const isUrl = key.endsWith('_url') && typeof value === 'string';
      return [key, { value: isUrl ? shownDatabase(value) : hideSecretFields(value ?? null), from }];
    }),
  );
}

interface Conflict {
  what: string;
  command: string;
}

async function conflicts(context: DoctorContext): Promise<Conflict[]> {
  const { env, cwd, home } = context.place;
  const { config, sources, file } = await context.config();
  const running = context.running();
  const found: Conflict[] = [];
  const url = env['PAO_URL'];
  if (url && running !== null && new URL(running.url).port !== portOf(url)) {
    found.push({
      what: `PAO_URL sends commands to ${url}, and pao runs at ${running.url}.`,
      command: 'unset PAO_URL',
    });
  }
  const project = findUpward(cwd, '.pao');
  if (env['PAO_HOME'] && project !== null && project !== home) {
    found.push({ what: `PAO_HOME is ${home}, and this folder has ${project}.`, command: 'unset PAO_HOME' });
  }
  const local = join(home, 'orchestrator.db');
  // After a move to PostgreSQL the old file is kept, and that is fine.
  const isFile =
    config.database_url !== undefined && readDatabaseUrl(config.database_url)?.engine === 'sqlite';
  if (config.database_url !== undefined && isFile && existsSync(local)) {
    const named = shownDatabase(config.database_url);
    if (named !== local)
      found.push({
        what: `The database is ${named} (${sources.database_url}), and ${local} is there as well.`,
        command: sources.database_url === 'file' ? `grep -n database_url ${file}` : 'unset DATABASE_URL',
      });
  }
  if (running !== null && config.port !== 0 && String(config.port) !== new URL(running.url).port) {
    if (sources.port !== 'default')
      found.push({
        what: `The port is ${config.port} (${sources.port}), and pao runs at ${running.url}.`,
        command: 'pao stop',
      });
  }
  return found;
}

function portOf(url: string): string {
  if (!URL.canParse(url)) return '';
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

function harmful({ config }: LoadedConfig, env: DoctorContext['place']['env']): Conflict[] {
  const found: Conflict[] = [];
  const add = (isSo: boolean, what: string, command: string) => {
    if (isSo) found.push({ what, command });
  };
  const edit = 'pao doctor --only config.valid --verbose';
  add(config.workers === 0, 'workers is 0: nothing is run.', edit);
  add(
    config.durability === 'normal',
    'durability is normal: a power loss may take what was acknowledged.',
    edit,
  );
  add(parseDuration(config.lease) < 5000, `lease is ${config.lease}: a short pause loses the work.`, edit);
  add(parseDuration(config.grace) < 1000, `grace is ${config.grace}: a stop cuts off what runs.`, edit);
  add(config.log_level === 'silent', 'log_level is silent: nothing says why something failed.', edit);
  add(
    config.workers * config.worker_concurrency > 1000,
    `${config.workers} workers of ${config.worker_concurrency} runs each are more than one machine does at once.`,
    edit,
  );
  add(
    !isLoopback(config.host) && config.allowed_hosts.length === 0,
    `host is ${config.host}: others reach the API, and allowed_hosts names nobody.`,
    edit,
  );
  add(
    /--inspect/.test(env['NODE_OPTIONS'] ?? ''),
    'NODE_OPTIONS has --inspect: whoever connects runs code.',
    'unset NODE_OPTIONS',
  );
  add(
    env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0',
    'NODE_TLS_REJECT_UNAUTHORIZED is 0: certificates are not checked.',
    'unset NODE_TLS_REJECT_UNAUTHORIZED',
  );
  add(
    Boolean(env['PAO_TEST_CLOCK']),
    'PAO_TEST_CLOCK is set: a start has another time than the world.',
    'unset PAO_TEST_CLOCK',
  );
  const authorities = env['NODE_EXTRA_CA_CERTS'];
  add(
    Boolean(authorities) && !existsSync(authorities as string),
    `NODE_EXTRA_CA_CERTS names ${authorities}, which is not there: its authorities are not trusted.`,
    'unset NODE_EXTRA_CA_CERTS',
  );
  return found;
}

const isLoopback = (host: string): boolean => /^(localhost|127\.|\[?::1\]?$)/.test(host);

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).format(0) !== '';
  } catch {
    return false;
  }
}
