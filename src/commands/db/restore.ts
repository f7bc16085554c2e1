import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { chooseDatabase, databaseFlag } from '../../cli/database.js';
import { Args, Flags } from '../../cli/flags.js';
import { restoreLines } from '../../cli/render/restore-lines.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { ResumeFrom } from '../../server/maintenance/restore.js';

/** Puts a backup in place of the database. */
export default class DbRestore extends BaseCommand<typeof DbRestore> {
  static override summary = 'Put a backup in place of the database';
  static override description =
    'pao must not run on it. The backup is read through before anything is changed, and the database that is replaced is kept beside it. What came due since the backup was made may have been done already: --resume-from or --pause say what becomes of it.';
  static override examples = [
    '<%= config.bin %> db restore orchestrator-20261125T170900Z.db',
    '<%= config.bin %> db restore backup.db --resume-from now',
    '<%= config.bin %> db restore backup.db --pause --yes',
    '<%= config.bin %> db restore backup.dump --database postgres://pao@localhost/pao',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override args = { file: Args.string({ description: 'The backup', required: true }) };
  static override flags = {
    database: databaseFlag,
    'resume-from': Flags.string({
      summary: 'Go on from now, leaving out what came due meanwhile, or from the backup, catching up',
      options: ['now', 'backup'],
      exclusive: ['pause'],
    }),
    pause: Flags.boolean({ summary: 'Pause every task; pao task resume lets one go on' }),
    yes: Flags.boolean({ summary: 'Do not ask' }),
  };

  async run(): Promise<unknown> {
    const { url, home, config } = await chooseDatabase(
      this.dataDirectory(),
      this.process,
      this.flags.database,
    );
    const file = resolve(this.process.cwd, this.args.file);
    if (!existsSync(file)) {
      throw new PaoError('PAO_FILE_MISSING', `There is no backup ${file}.`, {
        exitCode: EXIT.usage,
        hints: [`ls ${join(home, 'backups')}`],
      });
    }
    const [{ restoreBackup }, { restorePlace }, { takeAlone }, { parseDuration }, { confirm }] =
      await Promise.all([
        import('../../server/maintenance/restore.js'),
        import('../../server/maintenance/restore-place.js'),
        import('../../server/maintenance/alone.js'),
        import('../../domain/duration.js'),
        import('../../cli/confirm.js'),
      ]);
    const now = Date.now();
    const place = restorePlace({ file, url, now });
    const { location } = place;
    const release = await takeAlone({ home, url, now });
    try {
      // A bad file is told before a question is asked.
      await place.check(this.signal);
      if (await place.isTaken()) {
        const question = `Replace ${location} with ${file}? (It is kept beside it.)`;
        await confirm(question, { yes: this.flags.yes ?? false, process: this.process });
      }
      const restored = await restoreBackup({
        place,
        url,
        now,
        misfireAfterMs: parseDuration(config.misfire_after),
        resumeFrom: this.flags.pause ? 'paused' : ((this.flags['resume-from'] ?? null) as ResumeFrom | null),
        signal: this.signal,
      });
      restoreLines(restored, location, this.out);
      return {
        database: location,
        file,
        taken_at: new Date(restored.backup.takenAt).toISOString(),
        replaced: restored.replaced,
        lost: restored.lost,
        resume_from: restored.resumeFrom,
        paused_tasks: restored.pausedTasks,
        left_over: {
          tasks: restored.leftOver.tasks.map(({ name, dueSince, wouldRun, wouldMiss }) => ({
            name,
            due_since: new Date(dueSince).toISOString(),
            would_run: wouldRun,
            would_miss: wouldMiss,
          })),
          runs: restored.leftOver.runs,
          events: restored.leftOver.events,
        },
      };
    } finally {
      release();
    }
  }
}
