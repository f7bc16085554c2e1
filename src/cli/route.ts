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

/**
 * Finds the command a command line means; shows help or the version itself.
 * @returns null when all is done.
 * @throws PaoError with exit code 2 for a command that is none.
 */
export async function route(argv: string[], config: CliConfig): Promise<Target | null> {
  if (VERSION.has(argv[0] ?? '')) {
    config.process.stdout.write(`${config.userAgent}\n`);
    return null;
  }
  const end = argv.indexOf('--');
  const ours = end === -1 ? argv : argv.slice(0, end);
  if (argv.length === 0 || ours.some((word) => HELP.has(word))) {
    await showHelp(argv, config);
    return null;
  }
  if (argv[0]?.startsWith('-')) throw flagFirst(argv);
  const [id = '', ...rest] = normalizeArgv(config, argv);
  const command = config.findCommand(id);
  if (command) return { id, argv: rest, load: () => command.load() };
  if (config.findTopic(id)) {
    await showHelp([id], config);
    return null;
  }
  throw commandNotFound(id, config);
}

async function showHelp(argv: string[], config: CliConfig): Promise<void> {
  const { PaoHelp } = await import('./help.js');
  await new PaoHelp(config).showHelp(argv);
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
