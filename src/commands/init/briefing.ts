import { join, resolve } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import type { InitBriefingResult } from '../../demo/init-briefing.js';

/** Writes the task and the tools of the morning briefing, and starts or stops its demo servers. */
export default class InitBriefing extends BaseCommand<typeof InitBriefing> {
  static override summary = 'Write a morning briefing to start from, with demo servers if you like';
  static override description =
    'Writes briefing.yaml and tools.yaml. With --demo, local servers stand in for weather, mail, language model and Telegram, and a sample calendar is made: no account is needed.';
  static override examples = [
    '<%= config.bin %> init briefing --demo',
    '<%= config.bin %> init briefing --dir briefing --timezone Europe/Chisinau',
    '<%= config.bin %> init briefing --stop-demo',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    dir: Flags.string({ summary: 'Where the files go', default: '.', helpValue: 'FOLDER' }),
    timezone: Flags.string({ summary: 'Time zone; otherwise the one of this machine', helpValue: 'ZONE' }),
    demo: Flags.boolean({ summary: 'Start the demo servers in the background', exclusive: ['stop-demo'] }),
    'stop-demo': Flags.boolean({ summary: 'Stop the demo servers that were started here' }),
    force: Flags.boolean({ summary: 'Overwrite files that are there' }),
  };

  async run(): Promise<unknown> {
    const directory = resolve(this.process.cwd, this.flags.dir);
    if (this.flags['stop-demo']) return this.#stop(directory);
    const { ask, isAnswerable } = await import('../../cli/ask.js');
    const { chooseTimeZone } = await import('../../demo/choose-time-zone.js');
    const { initBriefing } = await import('../../demo/init-briefing.js');
    const { systemClock } = await import('../../domain/clock.js');
    const { loadConfig } = await import('../../server/config.js');
    const { config } = await loadConfig({ env: this.process.env, cwd: this.process.cwd });
    const timezone = chooseTimeZone(this.flags.timezone ?? config.timezone);
    const mayAsk = !this.flags.demo && !this.jsonEnabled() && isAnswerable(this.process);
    const question = 'Start the demo servers in the background, so that it works without any account? [Y/n] ';
    const demo = this.flags.demo || (mayAsk && /^y/i.test(await ask(this.process, question, 'yes')));
    const result = await initBriefing({
      directory,
      timezone,
      force: this.flags.force,
      demo,
      home: this.dataDirectory(),
      serversDirectory: join(this.packageRoot, 'dist', 'demo'),
      clock: systemClock,
    });
    this.#tell(result, timezone);
    return {
      files: result.files,
      timezone,
      demo: result.demo && {
        process_group: result.demo.pid,
        was_running: result.demo.wasRunning,
        servers: result.demo.servers,
      },
      secrets: result.secrets,
    };
  }

  async #stop(directory: string): Promise<unknown> {
    const { stopDemoGroup } = await import('../../demo/demo-group.js');
    const { DEMO_FOLDER } = await import('../../demo/init-briefing.js');
    const stopped = await stopDemoGroup(join(directory, DEMO_FOLDER));
    if (stopped.length === 0) this.out.note(`No demo servers run for ${directory}.`);
    for (const { name, pid } of stopped) this.out.success(`Stopped ${name} (process ${pid})`);
    return { stopped };
  }

  #tell({ files, demo, secrets, portsDiffer }: InitBriefingResult, timezone: string): void {
    for (const { path, outcome } of files) {
      if (outcome === 'written') this.out.success(`Wrote ${path}`);
      else
        this.out.note(
          outcome === 'kept' ? `Kept ${path} (changed by you; --force overwrites it)` : `Unchanged: ${path}`,
        );
    }
    this.out.note(`The schedule is in the time zone ${timezone}.`);
    if (secrets && secrets.added.length > 0) {
      this.out.success(`Added ${secrets.added.join(' and ')} to ${secrets.path} (readable by you only)`);
    }
    if (portsDiffer) {
      this.out.warn(
        'tools.yaml points at other ports than the demo servers listen on; --force writes it anew.',
      );
    }
    if (demo) {
      this.out.note(demo.wasRunning ? 'The demo servers run already:' : 'Started in the background:');
      for (const { name, pid, url } of demo.servers)
        this.out.note(`  ${name.padEnd(9)} ${url}  (process ${pid})`);
      this.out.note('  calendar  is started by pao itself, over stdio');
      const telegram = demo.servers.find((server) => server.name === 'telegram');
      this.out.note(`Messages arrive at ${telegram?.url}/messages; logs and process ids are in .pao-demo/.`);
      this.out.note('Stop them with: pao init briefing --stop-demo');
    } else {
      this.out.note(
        'Nothing was started. tools.yaml points at the demo servers: pao init briefing --demo starts them.',
      );
    }
    this.out.hint('pao tool import tools.yaml');
    this.out.hint('pao task apply briefing.yaml');
    this.out.hint('pao task run morning-briefing --wait');
  }
}
