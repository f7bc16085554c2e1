import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { chooseDatabase, databaseFile, databaseFlag } from '../../cli/database.js';
import { durationFlag, Flags } from '../../cli/flags.js';
import { counted } from '../../domain/counted.js';

/** Deletes old history now. */
export default class DbPrune extends BaseCommand<typeof DbPrune> {
  static override summary = 'Delete history that is older than the retention policy';
  static override description =
    'The scheduler does this by itself every few minutes; this is for now, or for other bounds. Runs that have not ended stay. It may be used while pao runs; --compact may not.';
  static override examples = [
    '<%= config.bin %> db prune --dry-run',
    '<%= config.bin %> db prune --runs 30d --compact',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    database: databaseFlag,
    runs: durationFlag({ summary: 'Keep runs for so long (retention.runs; 90d)' }),
    events: durationFlag({ summary: 'Keep events for so long (retention.events; 30d)' }),
    'dry-run': Flags.boolean({ summary: 'Only say what would be deleted' }),
    compact: Flags.boolean({ summary: 'Give the space back to the disk', exclusive: ['dry-run'] }),
  };

  async run(): Promise<unknown> {
    const { url, home, config } = await chooseDatabase(
      this.dataDirectory(),
      this.process,
      this.flags.database,
    );
    const { compactDatabase, countPrunable, pruneBounds, pruneDatabase } = await import(
      '../../server/maintenance/prune.js'
    );
    const { formatDuration } = await import('../../domain/duration.js');
    const { formatBytes } = await import('../../domain/bytes.js');
    const now = Date.now();
    const bounds = pruneBounds(config.retention, this.flags, now);
    const found = await countPrunable(url, bounds);
    const counts = [
      counted(found.runs, 'run'),
      counted(found.events, 'event'),
      counted(found.answers, 'kept answer'),
    ].join(', ');
    const isTry = this.flags['dry-run'] ?? false;
    const policy = `runs older than ${formatDuration(now - bounds.runsBefore)}, events older than ${formatDuration(now - bounds.eventsBefore)}`;
    const deleted = isTry ? 0 : await pruneDatabase(url, bounds, this.signal);
    if (isTry) this.out.line(`Would delete ${counts} (${policy})`);
    else this.out.success(`Deleted ${counts} (${policy})`);
    let freed: number | null = null;
    if (this.flags.compact) {
      freed = await compactDatabase(await databaseFile(url, 'Compacting'), { home, url, now });
      this.out.success(`Gave ${formatBytes(freed)} back to the disk`);
    }
    return {
      dry_run: isTry,
      runs_before: new Date(bounds.runsBefore).toISOString(),
      events_before: new Date(bounds.eventsBefore).toISOString(),
      found,
      deleted,
      freed_bytes: freed,
    };
  }
}
