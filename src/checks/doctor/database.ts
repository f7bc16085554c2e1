import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '../../domain/bytes.js';
import { formatDuration } from '../../domain/duration.js';
import { backupFolder, backupName, makeBackup } from '../../server/maintenance/backup.js';
import { migrateDatabase } from '../../server/maintenance/migrate.js';
import { compactDatabase } from '../../server/maintenance/prune.js';
import { verifyAudit } from '../../domain/audit-chain.js';
import { LAST_BACKUP } from '../../server/store/inspect.js';
import { CheckSkipped } from '../check.js';
import { broken, type DoctorCheck, doubtful } from './finding.js';

const BACKUP_MAX_AGE_MS = 26 * 3_600_000;
/** Above it only the quick check is made: the full one reads every page. */
const FULL_CHECK_BYTES = 256 * 1024 * 1024;

export const databaseChecks: readonly DoctorCheck[] = [
  {
    id: 'database.open',
    title: 'The database can be opened',
    group: 'Database',
    async run(context) {
      const database = await context.database();
      const { sizeBytes, walBytes } = await database.sizes();
      return {
        engine: database.engine,
        location: database.location,
        size_bytes: sizeBytes,
        wal_bytes: walBytes,
      };
    },
  },
  {
    id: 'database.schema',
    title: 'The schema is the one this pao wants',
    group: 'Database',
    needs: ['database.open'],
    async run(context) {
      const database = await context.database();
      const { current, wanted, pending } = await database.schema();
      const evidence = { current, wanted, pending };
      if (current > wanted) {
        const copy = `${database.location}.before-v${current}`;
        throw broken({
          what: `The database has schema ${current}; this pao knows ${wanted} at most.`,
          why: 'A newer pao has upgraded it, and an older one would damage it.',
          command: existsSync(copy) ? `pao db restore ${copy}` : 'npm install --global pao@latest',
          evidence,
        });
      }
      if (pending.length > 0) {
        const url = await context.databaseUrl();
        context.offer({
          check: 'database.schema',
          what: `bring the database from schema ${current} to ${wanted}`,
          touchesDatabase: true,
          run: async () =>
            void (await migrateDatabase({ home: context.place.home, url, now: context.place.now() })),
        });
        throw doubtful({
          what: `The database has schema ${current}, and this pao wants ${wanted} (${pending.join(', ')}).`,
          why: 'The next start upgrades it, after a copy; a pao that runs now is of an older version.',
          command: context.running() === null ? 'pao db migrate' : 'pao stop',
          evidence,
        });
      }
      return evidence;
    },
  },
  {
    id: 'database.integrity',
    title: 'The database is not damaged',
    group: 'Database',
    needs: ['database.open'],
    timeoutMs: 60_000,
    async run(context) {
      const database = await context.database();
      const { sizeBytes } = await database.sizes();
      const depth = sizeBytes <= FULL_CHECK_BYTES ? 'full' : 'quick';
      const problems = await database.problems(depth);
      if (problems.length === 0) return { depth };
      throw broken({
        what: `The database ${database.location} is damaged: ${problems[0]}`,
        why: 'What is in the damaged part is lost, and pao does not start on it after a crash.',
        command: `pao db restore ${(await database.getMeta(LAST_BACKUP.file).catch(() => null)) ?? 'FILE'}`,
        evidence: { depth, problems },
      });
    },
  },
  {
    id: 'database.audit',
    title: 'The chain of the audit log is whole',
    group: 'Database',
    needs: ['database.schema'],
    async run(context) {
      const { ok, entries, brokenAt } = await verifyAudit(await context.store());
      if (ok) return { entries };
      throw broken({
        what: `Entry ${brokenAt} of the audit log does not fit the one before it.`,
        why: 'Somebody changed or deleted entries past pao: the log proves nothing from there on.',
        command: 'pao db backup',
        evidence: { entries, broken_at: brokenAt },
      });
    },
  },
  {
    id: 'database.log',
    title: 'The write-ahead log is short, and little space is unused',
    group: 'Database',
    needs: ['database.open'],
    async run(context) {
      const database = await context.database();
      const { sizeBytes, walBytes, freeBytes } = await database.sizes();
      const evidence = { size_bytes: sizeBytes, wal_bytes: walBytes, free_bytes: freeBytes };
      const { muchSpace } = context.place;
      const isLong = walBytes > muchSpace.log;
      if (!isLong && !(freeBytes > muchSpace.unused && freeBytes > sizeBytes / 2)) return evidence;
      const url = await context.databaseUrl();
      if (context.running() === null) {
        context.offer({
          check: 'database.log',
          what: 'rewrite the database without its unused space',
          touchesDatabase: true,
          run: async () =>
            void (await compactDatabase(database.location, {
              home: context.place.home,
              url,
              now: context.place.now(),
            })),
        });
      }
      throw doubtful({
        what: isLong
          ? `The write-ahead log is ${formatBytes(walBytes)} long.`
          : `${formatBytes(freeBytes)} of ${formatBytes(sizeBytes)} are unused.`,
        why: isLong
          ? 'A program that reads for long keeps it from being folded in; reads get slower with it.'
          : 'New rows fill them, and until then they only take space.',
        command: context.running() === null ? 'pao db prune --compact' : 'pao status',
        evidence,
      });
    },
  },
  {
    id: 'database.backup',
    title: 'There is a backup, and it is not old',
    group: 'Database',
    needs: ['database.schema'],
    async run(context) {
      const { home, now } = context.place;
      const store = await context.store();
      const [at, file] = [await store.getMeta(LAST_BACKUP.at), await store.getMeta(LAST_BACKUP.file)];
      const { tasks } = await store.stats(now());
      const known = Object.values(tasks).reduce((sum, count) => sum + count, 0);
      const first = Math.min(...(await context.tasks()).map(({ createdAt }) => createdAt));
      const evidence = { last_backup_at: at === null ? null : new Date(Number(at)).toISOString(), file };
      if (known === 0) return { ...evidence, tasks: 0 };
      const age = at === null ? null : now() - Number(at);
      const isGone = file !== null && !existsSync(file);
      // The first day is for trying things out.
      if (age === null && now() - first < BACKUP_MAX_AGE_MS) return evidence;
      if (age !== null && age < BACKUP_MAX_AGE_MS && !isGone) return evidence;
      const url = await context.databaseUrl();
      context.offer({
        check: 'database.backup',
        what: 'make a backup',
        touchesDatabase: false,
        run: async () => {
          const target = join(backupFolder(home), backupName(now(), url));
          const { signal } = new AbortController();
          await makeBackup({ url, file: target, now: now(), replace: true, signal });
        },
      });
      throw doubtful({
        what:
          age === null
            ? 'There is no backup.'
            : isGone
              ? `The last backup, ${file}, is not there any more.`
              : `The last backup is ${formatDuration(age)} old.`,
        why: 'A disk that breaks takes every task and its history with it.',
        command: 'pao db backup',
        evidence,
      });
    },
  },
  {
    id: 'database.clock',
    title: 'Nothing in the database is from the future',
    group: 'Time',
    needs: ['database.schema'],
    async run(context) {
      await context.store();
      const newest = await (await context.database()).newestRowAt();
      if (newest === null) throw new CheckSkipped('Nothing was written yet.', 'pao start local');
      const ahead = newest - context.place.now();
      const evidence = { newest_row_at: new Date(newest).toISOString(), ahead_ms: Math.max(0, ahead) };
      if (ahead < 2000) return evidence;
      throw broken({
        what: `The newest row of the database is ${formatDuration(ahead)} ahead of this machine's clock.`,
        why: 'The clock went back, or another machine writes here: schedules wait until the time has come again.',
        command: 'timedatectl status',
        evidence,
      });
    },
  },
];
