import { resolve } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';

/** Makes a project of this folder. */
export default class Init extends BaseCommand<typeof Init> {
  static override summary = 'Give this folder an orchestrator of its own';
  static override description =
    'Makes .pao/ for the data and pao.config.yaml with the time zone. Without it, one orchestrator serves the whole account. Tasks to start from: briefing, follow-ups, inbox-triage, site-watch, ci-watch, weekly-review, backup-check, failure-digest (pao init NAME --demo).';
  static override examples = ['<%= config.bin %> init', '<%= config.bin %> init --timezone Europe/Chisinau'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    dir: Flags.string({ summary: 'The folder', default: '.', helpValue: 'FOLDER' }),
    timezone: Flags.string({ summary: 'Time zone; otherwise the one of this machine', helpValue: 'ZONE' }),
    force: Flags.boolean({ summary: 'Overwrite pao.config.yaml' }),
  };

  async run(): Promise<unknown> {
    const { ask } = await import('../cli/ask.js');
    const { chooseTimeZone } = await import('../demo/choose-time-zone.js');
    const { initProject } = await import('../demo/init-project.js');
    const found = chooseTimeZone(this.flags.timezone);
    const isAsked = this.flags.timezone === undefined && !this.jsonEnabled();
    const timezone = isAsked
      ? chooseTimeZone(await ask(this.process, `Time zone [${found}]: `, found))
      : found;
    const directory = resolve(this.process.cwd, this.flags.dir);
    const made = await initProject({ directory, timezone, force: this.flags.force });
    this.out.success(`Data of this project goes to ${made.home}`);
    if (made.config === 'written') this.out.success(`Wrote ${made.configPath} (timezone: ${timezone})`);
    else this.out.note(`Kept ${made.configPath}; --force overwrites it`);
    this.out.hint('pao start local');
    this.out.hint('pao init briefing --demo');
    return { home: made.home, config_path: made.configPath, config: made.config, timezone };
  }
}
