import { homedir } from 'node:os';
import { EXIT } from '../domain/errors.js';
import type { BaseCommand, CommandClass } from './base-command.js';
import { BundledPlugin } from './bundled-plugin.js';
import { CliConfig, type CliProcess, Interruption } from './cli-config.js';
import { decideColour, tellLibraries } from './colour.js';
import { Output } from './output.js';

const CUT_OFF_AFTER_MS = 2000;

/**
 * Runs one command line, from the arguments to the exit code, and ends the process.
 * @param root the folder of the package.
 */
export async function main(root: string): Promise<void> {
  endQuietlyOnBrokenPipe(process.stdout);
  endQuietlyOnBrokenPipe(process.stderr);
  const { argv, env, stdout, stderr } = process;
  const args = argv.slice(2);
  const colour = {
    stdout: decideColour({ argv: args, env, isTTY: stdout.isTTY }),
    stderr: decideColour({ argv: args, env, isTTY: stderr.isTTY }),
  };
  // Libraries draw progress, and progress goes to stderr.
  tellLibraries(colour.stderr, env);
  const interruption = listenForSignals();
  const cli: CliProcess = {
    argv: args,
    env,
    cwd: process.cwd(),
    userHome: env['HOME'] ?? homedir(),
    stdin: process.stdin,
    stdout,
    stderr,
    colour,
    signal: interruption.signal,
  };
  // Ends the process with an error, once something went wrong outside of the command.
  let failing: Promise<never> | undefined;
  const fail = (error: unknown) => {
    // What could not be written to stdout is not told there.
    const isUnwritten = (error as NodeJS.ErrnoException | null)?.syscall === 'write';
    failing ??= report(error, cli, undefined, isUnwritten).then((code) => process.exit(code));
  };
  process.on('uncaughtException', fail);
  // Nothing is left that could end the command, and it has not ended: without this that would be exit code 0.
  process.once('beforeExit', () => fail(new Error('The command waits for something that can not come.')));
  const code = await run(root, cli);
  await leave(code, () => failing);
}

/** Runs one command line in a given process and gives its exit code. */
export async function run(root: string, cli: CliProcess): Promise<number> {
  let command: string | undefined;
  try {
    const plugin = new BundledPlugin(root);
    await plugin.load();
    const config = new CliConfig(plugin, cli);
    await config.load();
    const { route } = await import('./route.js');
    const target = await route([...cli.argv], config);
    if (target === null) return EXIT.ok;
    command = target.id.replaceAll(':', ' ');
    const Class = (await target.load()) as unknown as CommandClass;
    const instance = new Class(target.argv, config);
    if (Class.drains) await instance.execute();
    else await cutOff(instance, cli.signal);
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.ok;
  } catch (error) {
    return report(error, cli, command);
  }
}

/** Ends a command that does not heed the abort signal, a moment after it. */
async function cutOff(command: Pick<BaseCommand<never>, 'execute'>, signal: AbortSignal): Promise<void> {
  const overdue = new Promise<never>((_, reject) => {
    signal.addEventListener(
      'abort',
      () => setTimeout(() => reject(signal.reason), CUT_OFF_AFTER_MS).unref(),
      { once: true },
    );
  });
  await Promise.race([command.execute(), overdue]);
}

async function report(
  error: unknown,
  cli: CliProcess,
  command: string | undefined,
  isUnwritten = false,
): Promise<number> {
  const [{ describeError }, { errorDocument, showError }] = await Promise.all([
    import('./describe-error.js'),
    import('./show-error.js'),
  ]);
  // A question that Ctrl-C ended throws it by itself: the process got no signal.
  const reason: unknown = error instanceof Interruption ? error : cli.signal.reason;
  const interruptedBy = reason instanceof Interruption ? reason.signal : undefined;
  const description = describeError(error, { interruptedBy, command });
  const out = new Output(cli);
  const end = cli.argv.indexOf('--');
  const json = cli.argv.indexOf('--json');
  const isVerbose = cli.env['PAO_DEBUG'] === '1' || cli.argv.includes('--verbose');
  if (json !== -1 && (end === -1 || json < end) && !isUnwritten) {
    out.document(errorDocument(description));
    if (isVerbose && description.stack) out.failure(description.stack);
  } else {
    showError(description, out, isVerbose);
  }
  return description.exitCode;
}

/** The first SIGINT or SIGTERM aborts, the second ends the process at once. */
function listenForSignals(): AbortController {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated);
      controller.abort(new Interruption(signal));
    });
  }
  return controller;
}

/** `pao task list | head -1` closes the pipe early: that is not an error. */
function endQuietlyOnBrokenPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
}

/**
 * Ends the process once what was written is out; idle connections and timers do not hold it up. What could not be written
 * (`> file` on a full disk) is told by an event after the write, and must not end as if all were well.
 */
async function leave(code: number, failing: () => Promise<never> | undefined): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((done) => stream.write('', () => done()));
  }
  await new Promise((settled) => setImmediate(settled));
  await failing();
  process.exit(code);
}
