import { normalizeArgv } from '@oclif/core/help';
import { EXIT, PaoError } from '../domain/errors.js';
import type { CliConfig } from './cli-config.js';
import { nearestCommand } from './suggest.js';

/** A command that was asked for, and the arguments that are left for it. */
export interface Target {
  id: string;
  argv: string[];
  load: () => Promise<unknown>;
}

const HELP = new Set(['--help', '-h']);
const VERSION = new Set(['--version', '-v']);
/** Topics that gate a pipeline: without their verb nothing was checked, and that must not look like a pass. */
const GATES = new Set(['check', 'test', 'validate']);

/**
 * Finds the command a command line means; shows help or the version itself.
 * @returns null when all is done.
 * @throws PaoError with exit code 2 for a command that is none, and for flags of a topic without its verb.
 */
export async function route(argv: string[], config: CliConfig): Promise<Target | null> {
  const end = argv.indexOf('--');
  const ours = end === -1 ? argv : argv.slice(0, end);
  if (VERSION.has(argv[0] ?? '')) {
    const command = config.findCommand('version');
    if (command && ours.includes('--json'))
      return { id: command.id, argv: ['--json'], load: () => command.load() };
    config.process.stdout.write(`${config.userAgent}\n`);
    return null;
  }
  if (argv.length === 0 || ours.some((word) => HELP.has(word))) {
    await showHelp(argv, config);
    return null;
  }
  if (argv[0]?.startsWith('-')) throw flagFirst(argv);
  const [id = '', ...rest] = normalizeArgv(config, argv);
  const command = config.findCommand(id);
  if (command) return { id, argv: rest, load: () => command.load() };
  if (config.findTopic(id)) {
    const isBare = rest.length === 0;
    // The help of a topic writes into the ids of its commands.
    const missing = verbMissing(id, config);
    if (isBare) await showHelp([id], config, GATES.has(id) ? config.process.stderr : undefined);
    if (isBare && !GATES.has(id)) return null;
    throw missing;
  }
  throw commandNotFound(id, config);
}

async function showHelp(
  argv: string[],
  config: CliConfig,
  stream: NodeJS.WriteStream = config.process.stdout,
): Promise<void> {
  const { PaoHelp } = await import('./help.js');
  await new PaoHelp(config, (text) => stream.write(`${text}\n`)).showHelp(argv);
}

function verbMissing(topic: string, config: CliConfig): PaoError {
  const verbs = config.commands
    .filter(({ id, hidden }) => !hidden && id.startsWith(`${topic}:`))
    .map(({ id }) => id.slice(topic.length + 1).replaceAll(':', ' '))
    .sort();
  const name = topic.replaceAll(':', ' ');
  const named =
    verbs.length > 1 ? `one of ${verbs.slice(0, -1).join(', ')} and ${verbs.at(-1)}` : (verbs[0] ?? 'a verb');
  return new PaoError('PAO_USAGE', `pao ${name} does nothing by itself: add ${named}.`, {
    exitCode: EXIT.usage,
    hints: verbs.length <= 2 ? verbs.map((verb) => `pao ${name} ${verb}`) : [`pao ${name} --help`],
  });
}

function flagFirst(argv: string[]): PaoError {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const hint = at === -1 ? 'pao --help' : ['pao', ...argv.slice(at), ...argv.slice(0, at)].join(' ');
  return new PaoError('PAO_USAGE', 'Flags go after the command.', { exitCode: EXIT.usage, hints: [hint] });
}

/** The error for words that are no command, with the nearest one. */
export function commandNotFound(id: string, config: CliConfig): PaoError {
  const words = id.split(':');
  for (let length = words.length - 1; length > 0; length--) {
    const prefix = words.slice(0, length).join(':');
    const command = config.findCommand(prefix);
    const hasChildren = config.commandIDs.some((other) => other.startsWith(`${prefix}:`));
    if (command && !hasChildren) {
      const name = prefix.replaceAll(':', ' ');
      return new PaoError('PAO_USAGE', `pao ${name} takes no argument "${words.slice(length).join(' ')}".`, {
        exitCode: EXIT.usage,
        hints: [`pao ${name} --help`],
      });
    }
  }
  const visible = config.commands.filter((command) => !command.hidden).map((command) => command.id);
  const near = nearestCommand(words, [...visible, 'help']);
  const topic =
    words.length > 1 && config.findTopic(words[0] ?? '') ? `pao ${words[0]} --help` : 'pao --help';
  const question = near ? ` Did you mean "pao ${near}"?` : '';
  return new PaoError('PAO_COMMAND_UNKNOWN', `There is no command "pao ${words.join(' ')}".${question}`, {
    exitCode: EXIT.usage,
    hints: [...(near ? [`pao ${near}`] : []), topic],
  });
}
