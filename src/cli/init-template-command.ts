import { join, relative, resolve } from 'node:path';
import type { Clock } from '../domain/clock.js';
import { BaseCommand, LOCAL_FLAGS } from './base-command.js';
import { Flags } from './flags.js';

interface DemoServer {
  name: string;
  pid: number;
  url: string;
}

interface InitResult {
  task: string;
  files: { path: string; outcome: 'written' | 'unchanged' | 'kept' }[];
  demo: { pid: number; wasRunning: boolean; servers: DemoServer[] } | null;
  secrets: { path: string; added: string[] } | null;
  portsDiffer: boolean;
}

/** What makes the files of a template, and its demo servers. */
export interface TemplateMaker {
  chooseTimeZone(asked: string | undefined): string;
  initTemplate(options: {
    template: string;
    directory: string;
    timezone: string;
    force: boolean;
    demo: boolean;
    home: string;
    serversDirectory: string;
    clock: Clock;
  }): Promise<InitResult>;
  stopDemo(directory: string): Promise<DemoServer[]>;
}

/** What `pao init NAME` commands share: they write a task and the tools, and start or stop the demo servers. */
export abstract class InitTemplateCommand extends BaseCommand<typeof InitTemplateCommand> {
  static override description =
    'Writes the task and tools.yaml. With --demo, local servers stand in for mail, language model, Telegram and the rest: no account is needed.';
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    dir: Flags.string({ summary: 'Where the files go', default: '.', helpValue: 'FOLDER' }),
    timezone: Flags.string({ summary: 'Time zone; otherwise the one of this machine', helpValue: 'ZONE' }),
    demo: Flags.boolean({ summary: 'Start the demo servers in the background', exclusive: ['stop-demo'] }),
    'stop-demo': Flags.boolean({ summary: 'Stop the demo servers that were started here' }),
    force: Flags.boolean({ summary: 'Overwrite files that are there' }),
  };

  /** Name of the template. */
  protected abstract readonly template: string;
  protected abstract loadMaker(): Promise<TemplateMaker>;

  async run(): Promise<unknown> {
    const directory = resolve(this.process.cwd, this.flags.dir);
    const maker = await this.loadMaker();
    if (this.flags['stop-demo']) return this.#stop(directory, maker);
    const { ask, isAnswerable } = await import('./ask.js');
    const { systemClock } = await import('../domain/clock.js');
    const { loadConfig } = await import('../server/config.js');
    const { config } = await loadConfig({ env: this.process.env, cwd: this.process.cwd });
    const timezone = maker.chooseTimeZone(this.flags.timezone ?? config.timezone);
    const mayAsk = !this.flags.demo && !this.jsonEnabled() && isAnswerable(this.process);
    const question = 'Start the demo servers in the background, so that it works without any account? [Y/n] ';
    const demo = this.flags.demo || (mayAsk && /^y/i.test(await ask(this.process, question, 'yes')));
    const result = await maker.initTemplate({
      template: this.template,
      directory,
      timezone,
      force: this.flags.force,
      demo,
      home: this.dataDirectory(),
      serversDirectory: join(this.packageRoot, 'dist', 'demo'),
      clock: systemClock,
    });
    this.#tell(result, timezone, relative(this.process.cwd, directory));
    return {
      task: result.task,
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

  async #stop(directory: string, maker: TemplateMaker): Promise<unknown> {
    const stopped = await maker.stopDemo(directory);
    if (stopped.length === 0) this.out.note(`No demo servers run for ${directory}.`);
    for (const { name, pid } of stopped) this.out.success(`Stopped ${name} (process ${pid})`);
    if (stopped.length > 0)
      this.out.warn(
        `Tools that were imported from ${join(directory, 'tools.yaml')} point at them: calls fail until other servers are imported`,
      );
    return { stopped };
  }

  #tell({ task, files, demo, secrets, portsDiffer }: InitResult, timezone: string, folder: string): void {
    const inFolder = folder === '' ? '' : ` --dir ${folder}`;
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
      this.out.note(`Stop them with: pao init ${this.template}${inFolder} --stop-demo`);
      this.out.note(
        `A channel to try without an account: in pao.config.yaml, then start pao again and pao channel test demo:\n  channels: { demo: { kind: telegram, token: "\${secrets.TELEGRAM_BOT_TOKEN}", chat_id: 100200300, api: ${telegram?.url} } }`,
      );
    } else {
      this.out.note(
        `Nothing was started. tools.yaml points at the demo servers: pao init ${this.template}${inFolder} --demo starts them.`,
      );
    }
    this.out.note(
      'Importing tools.yaml replaces tools of the same names, also for the tasks of another demo.',
    );
    this.out.hint(`pao tool import ${join(folder, 'tools.yaml')}`);
    this.out.hint(`pao task apply ${join(folder, `${this.template}.yaml`)}`);
    this.out.hint(`pao task run ${task} --wait`);
  }
}
