import { dirname, join, resolve } from 'node:path';
import { statSync } from 'node:fs';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { chooseDatabase, databaseFlag } from '../../cli/database.js';
import { Args, Flags } from '../../cli/flags.js';
import { counted } from '../../domain/counted.js';

/** Copies the database while it is in use. */
export default class DbBackup extends BaseCommand<typeof DbBackup> {
  static override summary = 'Copy the database to a file, also while pao runs';
  static override description =
    'The copy is one state of the database. It is opened and read through before this says that it is there. Without FILE it goes to backups/ in the data directory.';
  static override examples = [
    '<%= config.bin %> db backup',
    '<%= config.bin %> db backup --keep 14',
    '<%= config.bin %> db backup /mnt/usb/pao.db --force',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override args = { file: Args.string({ description: 'Where to; a folder is fine as well' }) };
  static override flags = {
    database: databaseFlag,
    keep: Flags.integer({
      summary: 'Delete older backups in the same folder, all but so many',
      min: 1,
      helpValue: 'N',
    }),
    force: Flags.boolean({ summary: 'Replace FILE when it is there' }),
  };

  async run(): Promise<unknown> {
    const { url, home } = await chooseDatabase(this.dataDirectory(), this.process, this.flags.database);
    const { backupFolder, backupName, keepNewest, makeBackup } = await import(
      '../../server/maintenance/backup.js'
    );
    const now = Date.now();
    const named =
      this.args.file === undefined ? backupFolder(home) : resolve(this.process.cwd, this.args.file);
    const isFolder =
      this.args.file === undefined || statSync(named, { throwIfNoEntry: false })?.isDirectory();
    const file = isFolder ? join(named, backupName(now, url)) : named;
    const began = performance.now();
    const { drawProgress } = await import('../../cli/draw-progress.js');
    const progress = drawProgress(this.out, this.process.env, `copying to ${file}`);
    const backup = await makeBackup({
      url,
      file,
      now,
      replace: this.flags.force ?? false,
      signal: this.signal,
      onProgress: progress.show,
    }).finally(progress.end);
    const deleted = this.flags.keep === undefined ? [] : keepNewest(dirname(file), this.flags.keep);
    const { formatBytes } = await import('../../domain/bytes.js');
    const { formatDuration } = await import('../../domain/duration.js');
    const tookMs = Math.round(performance.now() - began);
    const { run = 0, task = 0 } = backup.rows;
    this.out.line(file);
    this.out.success(
      `Backed up and read through: ${counted(task, 'task')}, ${counted(run, 'run')}, ${formatBytes(backup.sizeBytes)} in ${formatDuration(tookMs)}`,
    );
    if (deleted.length > 0) this.out.note(`Deleted ${deleted.length} older: ${deleted.join(', ')}`);
    if (backup.notNoted !== null) this.out.warn(`The database could not note it: ${backup.notNoted}`);
    if (backup.auditBrokenAt !== null)
      this.out.warn(
        `The chain of the audit log breaks at entry ${backup.auditBrokenAt}, in the database as well.`,
      );
    this.out.hint(`pao db restore ${file}`);
    return {
      file,
      size_bytes: backup.sizeBytes,
      schema: backup.schema,
      taken_at: new Date(backup.takenAt).toISOString(),
      rows: backup.rows,
      audit_broken_at: backup.auditBrokenAt,
      deleted,
      duration_ms: tookMs,
    };
  }
}
