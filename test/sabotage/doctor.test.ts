import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCheck } from '../../src/checks/run-check.js';
import { doctor } from '../../src/checks/doctor/suite.js';
import { hashToken } from '../../src/server/api/tokens.js';
import { loadDriver } from '../../src/server/store/sqlite/open.js';
import { LocalSecrets } from '../../src/server/secrets/local-secrets.js';
import { agentOf, CRON, runOf, seed, specOf, T0 } from '../contract/fixtures.js';
import { aPlace, type TestPlace } from './a-place.js';
import { sabotage } from './sabotage.js';

const DAY = 86_400_000;
let place: TestPlace;

beforeEach(async () => {
  place = await aPlace();
});
afterEach(() => place.remove());

const file = (name: string, content = '') => {
  const path = join(place.home, name);
  writeFileSync(path, content);
  return path;
};
const meta = (key: string, value: string) => place.raw(`INSERT INTO meta VALUES ('${key}', '${value}')`);

describe('runtime', () => {
  sabotage(doctor, 'runtime.node', 'a Node.js that is too old, or odd', async (fails) => {
    await fails(place.look({ nodeVersion: 'v20.18.3' }), /v20\.18\.3 is too old: pao needs 20\.19/);
    await fails(place.look({ nodeVersion: 'v23.1.0' }), /odd release/, { status: 'warned' });
  });

  sabotage(doctor, 'runtime.zones', 'zone data that is missing or wrong', async (fails) => {
    await fails(place.look({ offsetAt: () => null }), /Europe\/Berlin nowhere/);
    await fails(place.look({ offsetAt: () => 60 }), /Europe\/Berlin 60 minutes from UTC at .*; it is 120/);
  });

  sabotage(doctor, 'runtime.sqlite', 'a driver that ends the process, or is not there', async (fails) => {
    const root = place.home;
    for (const name of ['better-sqlite3', 'better-sqlite3-v13']) {
      mkdirSync(join(root, 'node_modules', name), { recursive: true });
      file(`node_modules/${name}/index.js`, 'process.abort();');
    }
    await fails(place.look({ packageRoot: root }), /does not load: it ended with SIGABRT/);
    rmSync(join(root, 'node_modules'), { recursive: true });
    await fails(place.look({ packageRoot: root }), /does not load: Cannot find module/);
  });

  sabotage(doctor, 'runtime.package', 'files of the package that are missing', (fails) =>
    fails(place.look({ packageRoot: place.home }), /lacks package\.json, .*dist\/service\.cjs/),
  );

  sabotage(doctor, 'runtime.limits', 'a limit of open files that is too low', (fails) => {
    const limitsFile = file(
      'limits',
      'Max open files            64                   1024                 files\n',
    );
    return fails(place.look({ limitsFile }), /may open 64 files/, { status: 'warned' });
  });
});

describe('files', () => {
  sabotage(doctor, 'files.home', 'a file in place of the data directory', (fails) =>
    fails(place.look({ home: file('home') }), /can not be written \(ENOTDIR\)/),
  );

  sabotage(doctor, 'files.space', 'a full disk', async (fails) => {
    const much = Number.MAX_SAFE_INTEGER;
    await fails(place.look({ lowDisk: { warn: much, fail: much } }), /are free for/);
    await fails(place.look({ lowDisk: { warn: much, fail: 0 } }), /are free for/, { status: 'warned' });
  });

  sabotage(doctor, 'files.volatile', 'a data directory in memory', async (fails) => {
    const home = mkdtempSync('/dev/shm/pao-doctor-');
    try {
      await fails(place.look({ home }), /tmpfs, which is in memory/, { status: 'warned' });
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  sabotage(doctor, 'files.private', 'credentials and data that others may read', async (fails) => {
    const path = file('credentials.json', '{}');
    chmodSync(path, 0o644);
    chmodSync(place.path, 0o660);
    mkdirSync(join(place.home, 'agents'), { mode: 0o700 });
    chmodSync(file(join('agents', 'claude-code.json'), '{}'), 0o644);
    const context = place.look();
    await fails(
      context,
      /Others on this machine may read .*credentials\.json, .*orchestrator\.db.*claude-code\.json/,
    );
    await place.mend('files.private', context);
  });

  sabotage(doctor, 'secrets.store', 'stored secrets whose key is gone', async (fails) => {
    await new LocalSecrets({ home: place.home, environment: {} }).set('TOKEN', 'a-good-value', {}, T0);
    rmSync(join(place.home, 'secrets.key'));
    await fails(place.look(), /The key of the stored secrets \(\w+\) is not in .*secrets\.key/);
  });

  sabotage(doctor, 'files.left', 'a run file of a process that is gone, and half a backup', async (fails) => {
    mkdirSync(join(place.home, 'run'));
    file('run/server.json', JSON.stringify({ pid: 2 ** 22 + 1, process_start: null }));
    file('copy.db.partial');
    const context = place.look();
    await fails(context, /server\.json are left of something/, { status: 'warned' });
    await place.mend('files.left', context);
  });

  sabotage(doctor, 'files.logs', 'a log directory that grew', (fails) => {
    mkdirSync(join(place.home, 'logs'));
    // A file with a hole takes no space.
    truncateSync(file('logs/other.log'), 300 * 1024 * 1024);
    return fails(place.look(), /holds 300 MiB in 1 file/, { status: 'warned' });
  });
});

describe('configuration', () => {
  sabotage(
    doctor,
    'config.valid',
    'an unknown setting, one of the wrong kind, a channel that is not there',
    async (fails) => {
      file('pao.config.yaml', 'prot: 8080\nworkers: many\n');
      await fails(place.look(), /workers must be a number[\s\S]*"prot".*Did you mean "port"/);
      file('pao.config.yaml', 'channels: { phone: { kind: desktop } }\nnotify: { approvals: phnoe }\n');
      await fails(place.look(), /notify\/approvals.*there is no channel "phnoe".*Did you mean "phone"/s);
    },
  );

  sabotage(doctor, 'config.environment', 'a variable that is spelled wrong', (fails) =>
    fails(place.look({ env: { PAO_PROT: '8090' } }), /PAO_PROT \(did you mean PAO_PORT\?\)/, {
      status: 'warned',
    }),
  );

  sabotage(doctor, 'config.conflicts', 'a second database and a second data directory', (fails) => {
    mkdirSync(join(place.home, 'project', '.pao'), { recursive: true });
    const env = { DATABASE_URL: 'sqlite:/elsewhere.db', PAO_HOME: place.home };
    return fails(
      place.look({ env, cwd: join(place.home, 'project') }),
      /PAO_HOME is [\s\S]*The database is \/elsewhere\.db/,
      { status: 'warned' },
    );
  });

  sabotage(doctor, 'config.harmful', 'settings and variables that take promises away', (fails) => {
    file('pao.config.yaml', 'workers: 0\nhost: 0.0.0.0\n');
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: '--inspect' };
    return fails(
      place.look({ env }),
      /workers is 0[\s\S]*host is 0\.0\.0\.0[\s\S]*--inspect[\s\S]*certificates/,
      { status: 'warned' },
    );
  });

  sabotage(doctor, 'config.timezone', 'a time zone that does not exist', (fails) =>
    fails(place.look({ env: { TZ: 'Europe/Berln' } }), /"Europe\/Berln".*Did you mean Europe\/Berlin\?/),
  );
});

describe('database', () => {
  sabotage(doctor, 'database.open', 'a file that is no database', (fails) => {
    writeFileSync(place.path, 'my diary\n'.repeat(1000));
    return fails(place.look(), /is not an SQLite database/);
  });

  sabotage(doctor, 'database.schema', 'a schema that is newer, and one that is older', async (fails) => {
    place.raw("INSERT INTO schema_migration VALUES (99, '0099_future', 0)");
    await fails(place.look(), /has schema 99; this pao knows/);
    place.raw('DELETE FROM schema_migration WHERE version > 1');
    const context = place.look();
    await fails(context, /has schema 1, and this pao wants/, { status: 'warned' });
    if (context.fixes[0]?.touchesDatabase !== true) throw new Error('A migration is not offered.');
  });

  sabotage(doctor, 'database.integrity', 'a damaged page, and rows that refer to nothing', async (fails) => {
    const connection = new (loadDriver())(place.path);
    connection.pragma('foreign_keys = OFF');
    connection.exec('INSERT INTO due_work (seq, task_seq, priority, run_at) VALUES (7, 1, 5, 0)');
    connection.close();
    await fails(place.look(), /is damaged: row 7 of due_work refers to a row of run that is not there/);
    truncateSync(place.path, statSync(place.path).size - 8192);
    await fails(place.look(), /damaged/);
  });

  sabotage(doctor, 'database.audit', 'an entry of the audit log that was changed', async (fails) => {
    await place.use(async (store) => {
      for (const action of ['one', 'two'])
        await store.appendAudit({ at: T0, actor: 'system', action, target: null, details: {} });
    });
    place.raw("UPDATE audit_log SET actor = 'nobody' WHERE action = 'one'");
    await fails(place.look(), /of the audit log does not fit/);
  });

  sabotage(doctor, 'database.log', 'a log that can not be folded in, and unused space', async (fails) => {
    const writer = new (loadDriver())(place.path);
    writer.pragma('wal_autocheckpoint = 0');
    writer.exec("INSERT INTO meta VALUES ('big', hex(zeroblob(2000000)))");
    const first = place.look();
    await fails(first, /write-ahead log is [\d.]+ MiB long/, { status: 'warned' });
    await first.close();
    writer.exec("DELETE FROM meta WHERE key = 'big'");
    writer.pragma('wal_checkpoint(TRUNCATE)');
    writer.close();
    const context = place.look();
    await fails(context, /MiB of .* MiB are unused/, { status: 'warned' });
    await place.mend('database.log', context);
  });

  sabotage(doctor, 'database.backup', 'a missing backup, an old one, and one that is gone', async (fails) => {
    await place.use((store) => seed(store));
    const now = () => T0 + 3 * DAY;
    await fails(place.look({ now }), /There is no backup/, { status: 'warned' });
    meta('last_backup_file', file('copy.db'));
    meta('last_backup_at', String(T0));
    await fails(place.look({ now }), /last backup is 3d old/, { status: 'warned' });
    rmSync(join(place.home, 'copy.db'));
    const context = place.look();
    await fails(context, /copy\.db, is not there any more/, { status: 'warned' });
    await place.mend('database.backup', context);
  });

  sabotage(doctor, 'database.clock', 'rows from the future', async (fails) => {
    await place.use((store) =>
      store.appendAudit({ at: T0 + 3_600_000, actor: 'system', action: 'one', target: null, details: {} }),
    );
    await fails(place.look(), /newest row of the database is 1h ahead/);
  });
});

describe('work', () => {
  sabotage(doctor, 'work.lag', 'a task that has been due for an hour', async (fails) => {
    await place.use((store) => seed(store, { schedule: CRON }, { nextDueAt: T0 }));
    await fails(place.look({ now: () => T0 + 3_600_000 }), /due for 1h, and pao does not run/, {
      status: 'warned',
    });
  });

  sabotage(doctor, 'work.leases', 'a run whose worker is gone', async (fails) => {
    await place.use(async (store) => {
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await store.lease({ workerId: 'w9', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
    });
    await fails(place.look({ now: () => T0 + 300_000 }), /1 run belongs to a worker whose lease ran out/, {
      status: 'warned',
    });
  });

  sabotage(doctor, 'work.stuck', 'a run that has been under way for days', async (fails) => {
    await place.use(async (store) => {
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await store.lease({ workerId: 'w9', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
    });
    await fails(place.look({ now: () => T0 + 3 * DAY }), /under way for 3d/, { status: 'warned' });
  });

  sabotage(doctor, 'work.without_due', 'an active task that lost its due time', async (fails) => {
    await place.use((store) => seed(store, { schedule: CRON }));
    const context = place.look();
    await fails(context, /1 active task has no due time: a-task/);
    await place.mend('work.without_due', context);
  });

  sabotage(doctor, 'work.never', 'a schedule that is over, and a tag no worker has', async (fails) => {
    await place.use(async (store) => {
      await seed(store, { name: 'over', schedule: { ...CRON, kind: 'once', expr: '2020-01-01T00:00:00' } });
      await seed(store, { name: 'elsewhere', runs_on: ['gpu'] });
    });
    await fails(
      place.look(),
      /elsewhere: no worker .* tag gpu\nover: its schedule has no further occurrence/,
      { status: 'warned' },
    );
  });

  sabotage(doctor, 'work.unheard', 'a question that nobody is told of', async (fails) => {
    const asks = { pipeline: [{ id: 'ask', approve: { message: 'Send it?' } }] } as never;
    await place.use((store) => seed(store, asks));
    const alone = /Nobody is told when these tasks ask: a-task \(ask\)\.[^]*notify: \{ approvals: CHANNEL \}/;
    await fails(place.look(), alone, { status: 'warned' });
    file('pao.config.yaml', 'channels: { phone: { kind: desktop } }\n');
    await fails(place.look(), /approve: \{ notify: phone \} in the step/, { status: 'warned' });
  });

  it('says nothing of a question where a channel asks it', async () => {
    await place.use((store) =>
      seed(store, { pipeline: [{ id: 'ask', approve: { message: 'Send it?' } }] } as never),
    );
    file('pao.config.yaml', 'channels: { phone: { kind: desktop } }\nnotify: { approvals: phone }\n');
    const check = doctor.checks.find(({ id }) => id === 'work.unheard');
    expect(await check?.run(place.look(), {} as never)).toEqual({ tasks: 1 });
  });

  sabotage(doctor, 'work.dead', 'a dead letter', async (fails) => {
    await place.use(async (store) => {
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf({ id: 'run_dead' }), now: T0 });
      await store.lease({ workerId: 'w9', now: T0, limit: 1, leaseMs: 1, tags: [] });
      await store.reclaim({ now: T0 + 10, limit: 10, maxDeaths: 1 });
    });
    await fails(place.look(), /1 run used up all attempts: a-task/, { status: 'warned' });
  });

  sabotage(doctor, 'work.events', 'events that nobody looks at', async (fails) => {
    await place.use((store) =>
      store.publishEvent({
        id: 'evt_1',
        topic: 'a',
        payload: null,
        dedupeKey: null,
        agentId: 'agt',
        createdAt: T0,
      }),
    );
    await fails(place.look(), /1 event has not been looked at/, { status: 'warned' });
  });
});

describe('access', () => {
  const SECRET = 'pao_o_0123456789012345678901234567890123456789abcdef';
  const token = (changes: object) => ({
    id: 'tok_1',
    agentId: '',
    hash: hashToken(SECRET),
    prefix: SECRET.slice(0, 12),
    label: null,
    scopes: ['admin'],
    createdAt: T0,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    ...changes,
  });
  const withToken = (changes: object = {}) =>
    place.use((store) => {
      const agent = agentOf('mailer');
      return store.createAgent(agent, token({ ...changes, agentId: agent.id }));
    });

  sabotage(
    doctor,
    'access.credentials',
    'a token the database does not know, or no longer takes',
    async (fails) => {
      const path = file('credentials.json', JSON.stringify({ url: 'http://127.0.0.1:8080', token: SECRET }));
      chmodSync(path, 0o600);
      await fails(place.look(), /is not known to the database/);
      await withToken({ revokedAt: T0 });
      await fails(place.look(), /was revoked/);
    },
  );

  sabotage(doctor, 'access.tokens', 'tokens that never end, end soon, or are not used', async (fails) => {
    await withToken();
    await fails(place.look(), /of mailer never ends/, { status: 'warned' });
    place.raw(`UPDATE agent_token SET expires_at = ${T0 + 200 * DAY}`);
    await fails(place.look({ now: () => T0 + 100 * DAY }), /has not been used for 100d/, {
      status: 'warned',
    });
    await fails(place.look({ now: () => T0 + 198 * DAY }), /ends in 2d/, { status: 'warned' });
  });
});

describe('reboot', () => {
  const unit = (facts: object) => {
    const folder = join(place.home, '.config', 'systemd', 'user');
    mkdirSync(join(folder, 'default.target.wants'), { recursive: true });
    const all = { node: process.execPath, bin: process.execPath, home: place.home, config: null, ...facts };
    const text = `# pao service install: ${JSON.stringify(all)}\n`;
    return file('.config/systemd/user/pao.service', text);
  };
  const enable = (path: string) =>
    symlinkSync(path, join(place.home, '.config/systemd/user/default.target.wants/pao.service'));
  const started = doctor.checks.find(({ id }) => id === 'reboot.started');
  const statusOf = async (changes: Parameters<TestPlace['look']>[0] = {}) =>
    (
      await runCheck(started!, place.look(changes), {
        signal: new AbortController().signal,
        command: 'pao doctor',
      })
    ).status;

  sabotage(doctor, 'reboot.started', 'a timed task that nothing starts after a reboot', async (fails) => {
    await place.use((store) => seed(store, { schedule: CRON }));
    await fails(place.look(), /Nothing starts pao after a reboot, and 1 task waits/, { status: 'warned' });
    // One that is not enabled, and one of another data directory.
    unit({});
    await fails(place.look(), /Nothing starts pao/, { status: 'warned' });
    enable(unit({ home: '/elsewhere' }));
    await fails(place.look(), /Nothing starts pao/, { status: 'warned' });
  });

  it('reboot.started knows what starts it, and where nothing is to', async () => {
    expect(await statusOf()).toBe('skipped');
    await place.use((store) => seed(store, { schedule: CRON }));
    expect(await statusOf()).toBe('warned');
    const reboot = { whyNot: null, folders: [], crontab: async () => '' };
    const crontab = async () => '@reboot cd /x && PAO_HOME=/x node run.cjs start local --detach';
    expect(await statusOf({ reboot: { ...reboot, crontab } })).toBe('passed');
    file('mine.service', `[Service]\nEnvironment=PAO_HOME=${place.home}\nExecStart=pao start local\n`);
    expect(await statusOf({ reboot: { ...reboot, folders: [place.home] } })).toBe('passed');
    expect(await statusOf({ reboot: { ...reboot, whyNot: 'This is a container.' } })).toBe('skipped');
    enable(unit({}));
    expect(await statusOf()).toBe('passed');
  });

  sabotage(
    doctor,
    'reboot.program',
    'a Node.js and a pao that the service starts and that are gone',
    (fails) => {
      unit({ node: '/gone/node', bin: '/gone/run.cjs' });
      return fails(place.look(), /pao\.service needs \/gone\/node and \/gone\/run\.cjs, which are gone/);
    },
  );
});

describe('shell', () => {
  sabotage(
    doctor,
    'shell.completion',
    'a script of another pao, and a start-up file without pao',
    async (fails) => {
      mkdirSync(join(place.home, '.config/fish/completions'), { recursive: true });
      file('.config/fish/completions/pao.fish', 'complete -c pao -a start');
      await fails(place.look({ env: { SHELL: '/usr/bin/fish' } }), /is of another pao/, { status: 'warned' });
      file('.bashrc', 'eval "$(pao completion bash)"');
      await fails(place.look({ env: { SHELL: '/bin/bash', PATH: place.home } }), /no pao on the PATH/, {
        status: 'warned',
      });
    },
  );
});

it('finds nothing where nothing is wrong', async () => {
  await place.use(async (store) => {
    await seed(store, { schedule: CRON, ...specOf({}) }, { nextDueAt: T0 + 60_000 });
  });
  const crontab = async () => '@reboot pao start local --detach';
  const context = place.look({ reboot: { whyNot: null, folders: [], crontab } });
  const signal = new AbortController().signal;
  const results = await Promise.all(
    doctor.checks.map((check) => runCheck(check, context, { signal, command: 'pao doctor' })),
  );
  const wrong = results.filter(({ status }) => status !== 'passed' && status !== 'skipped');
  expect(wrong.filter(({ id }) => id !== 'processes.port')).toEqual([]);
  expect(context.fixes).toEqual([]);
});
