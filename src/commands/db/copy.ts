import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';

/** Moves everything into a database of another engine, or elsewhere. */
export default class DbCopy extends BaseCommand<typeof DbCopy> {
  static override summary = 'Copy everything into another database, SQLite or PostgreSQL';
  static override description =
    'Both ways. The target must be empty, and neither may be in use. Broken off, it goes on where it was the next time. At the end the rows of both are counted and compared.';
  static override examples = [
    '<%= config.bin %> db copy --from sqlite:./orchestrator.db --to postgres://pao@db.example.com/pao',
    '<%= config.bin %> db copy --from postgres://pao@localhost/pao --to sqlite:./orchestrator.db',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    from: Flags.string({ summary: 'The database to copy', required: true, helpValue: 'URL' }),
    to: Flags.string({ summary: 'The empty one it goes to', required: true, helpValue: 'URL' }),
  };

  async run(): Promise<unknown> {
    const { copyDatabase } = await import('../../server/maintenance/copy.js');
    const { shownDatabase } = await import('../../server/store/database-url.js');
    const { formatDuration } = await import('../../domain/duration.js');
    const { drawProgress } = await import('../../cli/draw-progress.js');
    const began = performance.now();
    const progress = drawProgress(this.out, this.process.env, 'copying');
    const { tables, resumed } = await copyDatabase({
      from: this.flags.from,
      to: this.flags.to,
      home: this.dataDirectory(),
      now: Date.now(),
      signal: this.signal,
      onProgress: (_table, done) => progress.show(done),
    }).finally(progress.end);
    const tookMs = Math.round(performance.now() - began);
    const [from, to] = [shownDatabase(this.flags.from), shownDatabase(this.flags.to)];
    this.out.table(
      tables.filter(({ rows }) => rows > 0),
      [
        { header: 'TABLE', value: ({ table }) => table },
        { header: 'ROWS', value: ({ rows }) => rows, align: 'right' },
        { header: 'SHA-256 OF BOTH', value: ({ checksum }) => checksum.slice(0, 16) },
      ],
      'There was nothing to copy.',
    );
    this.out.success(`${to} holds all of ${from} (${formatDuration(tookMs)}${resumed ? ', resumed' : ''})`);
    this.out.hint('export DATABASE_URL=… (the one of --to), then pao start local');
    return { from, to, resumed, tables, duration_ms: tookMs };
  }
}
