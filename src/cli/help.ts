import { CommandHelp, Help } from '@oclif/core/help';
import { EXIT_CODES } from './exit-codes.js';
import { HELP_GROUPS } from './help-groups.js';
import type { CliConfig } from './cli-config.js';

const FIRST_STEPS = [
  ['start:local', 'pao start local', 'start everything on this machine'],
  ['init:briefing', 'pao init briefing --demo', 'write a first task to look at'],
  ['doctor', 'pao doctor', 'find out what is wrong, and how to mend it'],
] as const;

/** The page of a command. oclif's usage line lists every flag once more, in brackets that groups of flags leave empty. */
class PaoCommandHelp extends CommandHelp {
  protected override defaultUsage(): string {
    const args = Object.values(this.command.args ?? {}).filter(({ hidden }) => !hidden);
    const flags = Object.values(this.command.flags ?? {}).filter(({ required }) => required);
    const value = (flag: (typeof flags)[number]) =>
      flag.type === 'option' ? ` ${[flag.helpValue ?? flag.name.toUpperCase()].flat()[0]}` : '';
    return [
      this.command.id,
      ...args.map((arg) => this.arg(arg)),
      ...flags.map((flag) => `--${flag.name}${value(flag)}`),
      '[FLAGS]',
    ].join(' ');
  }

  /** oclif trims the whole list, and with it what puts a flag without a letter under those that have one. */
  override renderList(...given: Parameters<CommandHelp['renderList']>): string {
    const list = super.renderList(...given);
    const lead = /^ */.exec(given[0][0]?.[0] ?? '')?.[0] ?? '';
    return list.includes('\n\n') ? list : `${lead}${list}`;
  }
}

/** Help whose first page is grouped by what a person wants to do. */
export class PaoHelp extends Help {
  protected override CommandHelpClass = PaoCommandHelp;
  readonly #cli: CliConfig;
  readonly #write: (text: string) => void;

  /** @param write takes the help text piece by piece; stdout when left out. */
  constructor(config: CliConfig, write?: (text: string) => void) {
    const { stdout, colour } = config.process;
    super(config, {
      stripAnsi: !colour.stdout,
      flagSortOrder: 'none',
      maxWidth: Math.min(110, stdout.isTTY ? stdout.columns || 80 : 100),
    });
    this.#cli = config;
    this.#write = write ?? ((text) => config.process.stdout.write(`${text}\n`));
  }

  protected override log(...parts: string[]): void {
    this.#write(parts.join(' '));
  }

  override async showHelp(argv: string[]): Promise<void> {
    const words = argv.filter((word) => !word.startsWith('-'));
    if (words[0] === 'help') words.shift();
    if (words[0] === 'exit-codes' && words.length === 1) {
      this.#write(this.exitCodes());
      return;
    }
    const id = words.join(':');
    // oclif's own look-up says "command not found" with colons and without a suggestion.
    if (id !== '' && !this.#find(words)) {
      const { commandNotFound } = await import('./route.js');
      throw commandNotFound(id, this.#cli);
    }
    await super.showHelp(argv[0] === 'help' ? argv.slice(1) : argv);
  }

  protected override async showRootHelp(): Promise<void> {
    this.#write(this.rootPage());
  }

  /** The first page. */
  rootPage(): string {
    const paint = this.#paint();
    const lines = [
      String(this.config.pjson.description),
      '',
      `${paint('USAGE')}\n  pao COMMAND [FLAGS]`,
      '',
      paint('START HERE'),
      ...pairs(
        FIRST_STEPS.filter(([id]) => this.config.findCommand(id)).map(([, line, text]) => [line, text]),
      ),
    ];
    for (const { title, entries } of this.#groups()) lines.push('', paint(title), ...pairs(entries));
    lines.push(
      '',
      'pao COMMAND --help explains a command, pao help exit-codes the exit codes.',
      'Every command takes --json: one JSON document on stdout (logs, event tail: an object a line), all else on stderr.',
    );
    return lines.join('\n');
  }

  /** The table of exit codes. */
  exitCodes(): string {
    return [
      this.#paint()('EXIT CODES'),
      ...pairs(EXIT_CODES.map(([code, text]) => [String(code), text])),
    ].join('\n');
  }

  #groups(): { title: string; entries: [string, string][] }[] {
    const known = new Map<string, string>();
    for (const command of this.config.commands) {
      if (command.hidden) continue;
      const first = command.id.split(':')[0] ?? command.id;
      if (command.id === first) known.set(first, command.summary ?? '');
    }
    for (const topic of this.config.topics) {
      if (topic.name.includes(':') || topic.hidden) continue;
      const verbs = this.config.commands
        .filter(({ id, hidden }) => !hidden && id.startsWith(`${topic.name}:`))
        .map(({ id }) => id.slice(topic.name.length + 1).replaceAll(':', ' '));
      if (verbs.length === 0) continue;
      const own = known.get(topic.name) ?? topic.description ?? '';
      known.set(topic.name, `${own} (${verbs.sort().join(', ')})`.trim());
    }
    const groups = HELP_GROUPS.map(({ title, names }) => ({
      title,
      entries: names
        .filter((name) => known.has(name))
        .map((name): [string, string] => [name, known.get(name) ?? '']),
    }));
    const listed = new Set(HELP_GROUPS.flatMap(({ names }) => names));
    const others = [...known].filter(([name]) => !listed.has(name)).sort();
    return [...groups, { title: 'MORE', entries: others }].filter(({ entries }) => entries.length > 0);
  }

  #find(words: string[]): boolean {
    for (let length = words.length; length > 0; length--) {
      const id = words.slice(0, length).join(':');
      const command = this.config.findCommand(id);
      if (command) return length === words.length || !command.strict || Object.keys(command.args).length > 0;
      if (length === words.length && this.config.findTopic(id)) return true;
    }
    return false;
  }

  #paint(): (title: string) => string {
    return (title) => (this.#cli.process.colour.stdout ? `\u001b[1m${title}\u001b[22m` : title);
  }
}

function pairs(entries: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`.trimEnd());
}
