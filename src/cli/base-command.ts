import { Command } from '@oclif/core/command';
import { boolean, string } from '@oclif/core/flags';
import type { ArgInput, FlagInput, InferredArgs, InferredFlags } from '@oclif/core/interfaces';
import type { CliConfig, CliProcess } from './cli-config.js';
import { type Connection, findConnection } from './connection.js';
import { dataDirectory } from './home.js';
import { Output } from './output.js';

/** Flags of a command that needs no server; `static override baseFlags = LOCAL_FLAGS`. */
export const LOCAL_FLAGS = {
  json: boolean({ summary: 'Print one JSON document instead', helpGroup: 'GLOBAL' }),
  quiet: boolean({ char: 'q', summary: 'Print the answer and errors, nothing else', helpGroup: 'GLOBAL' }),
  verbose: boolean({ summary: 'Print more of what happens', exclusive: ['quiet'], helpGroup: 'GLOBAL' }),
  'no-color': boolean({ summary: 'No colour (so does NO_COLOR=1)', helpGroup: 'GLOBAL' }),
};

/** Flags of every command that talks to a server. */
export const SERVER_FLAGS = {
  ...LOCAL_FLAGS,
  url: string({
    summary: 'The server to talk to; otherwise the one that runs here',
    env: 'PAO_URL',
    helpGroup: 'GLOBAL',
    helpValue: 'URL',
  }),
  'token-file': string({
    summary: 'File with the token to use (or PAO_TOKEN); otherwise the one pao start made',
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
  }),
};

type CommandFlags<T extends typeof Command> = InferredFlags<typeof SERVER_FLAGS & T['flags']>;
type CommandArgs<T extends typeof Command> = InferredArgs<T['args']>;

/**
 * What every command shares: parsed flags, output, the abort signal, the way to the server, and `--json`.
 * A command's `run` returns what `--json` prints; errors are thrown, and `main` shows them.
 */
export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override enableJsonFlag = true;
  static override baseFlags: FlagInput = SERVER_FLAGS;
  /** A command that stops in its own time after Ctrl-C; the others are cut off after a moment. */
  static readonly drains: boolean = false;

  /** The flags that were given, and the defaults. */
  protected flags!: CommandFlags<T>;
  /** The arguments that were given. */
  protected args!: CommandArgs<T>;
  /** Where the command writes. */
  protected out!: Output;
  #hasStreamed = false;

  /** Aborted by Ctrl-C and SIGTERM; to be handed to everything that waits. */
  protected get signal(): AbortSignal {
    return this.process.signal;
  }

  /** Environment, streams and folders of this process. */
  protected get process(): CliProcess {
    return (this.config as CliConfig).process;
  }

  /** The folder pao is installed in; its `dist/service.cjs` is what child processes run. */
  protected get packageRoot(): string {
    return this.config.root;
  }

  /** Parses, runs, and prints the JSON document if one is wanted. */
  async execute(): Promise<void> {
    await this.init();
    const result: unknown = await this.run();
    if (this.jsonEnabled() && !this.#hasStreamed) this.out.document(result ?? {});
  }

  /** The data directory of this place: PAO_HOME, the nearest `.pao/`, or the one of the person. */
  protected dataDirectory(): string {
    return dataDirectory(this.process);
  }

  /** The server to talk to and the token to show it. */
  protected connection(): Connection {
    const { url, 'token-file': tokenFile } = this.flags as { url?: string; 'token-file'?: string };
    return findConnection({ ...this.process, url, tokenFile });
  }

  /** Says that the answer is a stream of events, which may also stay empty. */
  protected beginStream(): void {
    this.#hasStreamed = true;
  }

  /** One event of a command that runs on: a line of JSON with `--json`, else what `text` says. */
  protected stream(event: unknown, text: () => string): void {
    this.#hasStreamed = true;
    if (this.jsonEnabled()) this.out.event(event);
    else this.out.line(text());
  }

  protected override async init(): Promise<void> {
    await super.init();
    const { flags, args } = await this.parse({
      flags: this.ctor.flags,
      baseFlags: this.ctor.baseFlags,
      args: withoutStdin(this.ctor.args),
      strict: this.ctor.strict,
      constraints: this.ctor.constraints,
      enableJsonFlag: this.ctor.enableJsonFlag,
    });
    this.flags = flags as CommandFlags<T>;
    this.args = args as CommandArgs<T>;
    const { quiet, verbose } = flags as { quiet?: boolean; verbose?: boolean };
    this.out = new Output({
      ...this.process,
      json: this.jsonEnabled(),
      quiet: quiet ?? false,
      verbose: verbose ?? false,
    });
  }
}

/** oclif fills a missing argument from stdin, which would eat the input of a shell loop around the command. */
function withoutStdin(args: ArgInput): ArgInput {
  return Object.fromEntries(Object.entries(args).map(([name, arg]) => [name, { ...arg, ignoreStdin: true }]));
}

/** The static side of a command, as the command table holds it. */
export interface CommandClass {
  new (argv: string[], config: CliConfig): BaseCommand<typeof Command>;
  readonly drains?: boolean;
}
