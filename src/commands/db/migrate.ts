import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { chooseDatabase, databaseFlag } from '../../cli/database.js';
import { Flags } from '../../cli/flags.js';

/** Brings the schema up to date without starting anything. */
export default class DbMigrate extends BaseCommand<typeof DbMigrate> {
  static override summary = "Bring the database up to this version's schema";
  static override description =
    'pao start does it by itself. A database with something in it is copied beside itself first (FILE.before-vN). Nothing else may use it meanwhile.';
  static override examples = ['<%= config.bin %> db migrate --dry-run', '<%= config.bin %> db migrate'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    database: databaseFlag,
    'dry-run': Flags.boolean({ summary: 'Only try it, on a copy that is deleted again' }),
  };

  async run(): Promise<unknown> {
    const { url, home } = await chooseDatabase(this.dataDirectory(), this.process, this.flags.database);
    const { migrateDatabase, tryMigration } = await import('../../server/maintenance/migrate.js');
    const { shownDatabase } = await import('../../server/store/database-url.js');
    const now = Date.now();
    const isTry = this.flags['dry-run'] ?? false;
    const { from, to, steps, copy } = isTry
      ? await tryMigration(url, now, this.signal)
      : await migrateDatabase({ home, url, now });
    const shown = shownDatabase(url);
    if (steps.length === 0) this.out.success(`${shown} is up to date (schema ${to})`);
    else if (isTry) {
      this.out.line(`Would take ${shown} from schema ${from} to ${to}: ${steps.join(', ')}`);
      if (from > 0) this.out.success('It works on a copy, and the copy is sound afterwards');
      this.out.hint('pao db migrate');
    } else {
      this.out.success(`${shown} went from schema ${from} to ${to}: ${steps.join(', ')}`);
      if (copy !== null) this.out.note(`As it was before: ${copy}`);
    }
    return { database: shown, dry_run: isTry, from, to, steps, copy };
  }
}
