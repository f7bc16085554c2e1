import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { chooseDatabase, databaseFlag } from '../../cli/database.js';
import { Flags } from '../../cli/flags.js';
import type { DatabaseStatus } from '../../server/maintenance/database-status.js';
import { EXIT } from '../../domain/errors.js';

/** Looks at the database as a whole. */
export default class DbStatus extends BaseCommand<typeof DbStatus> {
  static override summary = 'Show what the database holds and whether it is sound';
  static override description =
    'Reads only, and may be used while pao runs. Exit code 1: it is damaged. 3: it needs another version of pao.';
  static override examples = ['<%= config.bin %> db status', '<%= config.bin %> db status --full'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    database: databaseFlag,
    full: Flags.boolean({ summary: 'Read every page and every reference (slow on a large database)' }),
  };

  async run(): Promise<unknown> {
    const { url, home } = await chooseDatabase(this.dataDirectory(), this.process, this.flags.database);
    const { databaseStatus } = await import('../../server/maintenance/database-status.js');
    const status = await databaseStatus(url, { home, depth: this.flags.full ? 'full' : 'quick' });
    if (status.problems.length > 0) process.exitCode = EXIT.failed;
    else if (status.schema.current > status.schema.wanted) process.exitCode = EXIT.unavailable;
    await this.#show(status);
    return status;
  }

  async #show(status: DatabaseStatus): Promise<void> {
    const { formatBytes } = await import('../../domain/bytes.js');
    const { formatDuration } = await import('../../domain/duration.js');
    const { paint, symbols } = this.out;
    const { schema, problems, last_backup: backup, running } = status;
    const version =
      schema.pending.length > 0
        ? paint.yellow(`${schema.current}, this pao wants ${schema.wanted}`)
        : schema.current > schema.wanted
          ? paint.red(`${schema.current}, this pao knows ${schema.wanted} at most`)
          : String(schema.current);
    this.out.pairs([
      ['Database', `${status.location} (${status.engine})`],
      ['Schema', version],
      [
        'Size',
        `${formatBytes(status.size_bytes)}, log ${formatBytes(status.wal_bytes)}, unused ${formatBytes(status.free_bytes)}`,
      ],
      [
        'Integrity',
        problems.length === 0
          ? paint.green(`${symbols.ok} ${status.checked === 'full' ? 'everything is sound' : 'sound'}`)
          : paint.red(`${symbols.fail} ${problems[0]}`),
      ],
      [
        'Last backup',
        backup === null
          ? paint.yellow('none')
          : `${formatDuration(Math.max(0, Date.now() - Date.parse(backup.at)))} ago, ${backup.file}`,
      ],
      ['In use by', running === null ? 'nobody' : `pao, process ${running.pid} at ${running.url}`],
    ]);
    this.out.line();
    this.out.table(Object.entries(status.rows), [
      { header: 'TABLE', value: ([name]) => name },
      { header: 'ROWS', value: ([, rows]) => rows, align: 'right' },
    ]);
    for (const hint of status.hints) this.out.hint(hint);
  }
}
