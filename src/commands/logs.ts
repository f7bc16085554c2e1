import { join } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { interruptedCode } from '../cli/cli-config.js';
import { Flags } from '../cli/flags.js';

/** Shows what the services wrote. */
export default class Logs extends BaseCommand<typeof Logs> {
  static override summary = 'Show what the services say';
  static override description =
    'Reads the log in the data directory, also when nothing runs. In a terminal a line is `time level service message key=value`; into a pipe, and with --json, it is one JSON object a line.';
  static override examples = [
    '<%= config.bin %> logs -f',
    '<%= config.bin %> logs --level warn --lines 200',
    '<%= config.bin %> logs --service worker --json',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    follow: Flags.boolean({ char: 'f', summary: 'Go on with what is written from now on, until Ctrl-C' }),
    lines: Flags.integer({
      char: 'n',
      summary: 'How many of the last lines',
      default: 50,
      min: 0,
      helpValue: 'N',
    }),
    level: Flags.string({
      summary: 'This level and worse',
      options: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      helpValue: 'LEVEL',
    }),
    service: Flags.string({
      summary: 'One service: api, scheduler, worker, w1, supervisor',
      helpValue: 'NAME',
    }),
    run: Flags.string({ summary: 'What is about this run, or latest', helpValue: 'RUN_ID' }),
    task: Flags.string({ summary: 'What is about this task', helpValue: 'TASK_ID' }),
    trace: Flags.string({ summary: 'What is about this trace', helpValue: 'TRACE_ID' }),
  };

  /** A log without lines is an empty answer, where another command would print a document. */
  override async execute(): Promise<void> {
    await this.init();
    await this.run();
  }

  async run(): Promise<void> {
    const { readLogLine, matchesLog } = await import('../cli/log-line.js');
    const { lastLogLines, followLog } = await import('../cli/log-file.js');
    const { follow, lines, level, service, task, trace } = this.flags;
    const file = join(this.dataDirectory(), 'logs', 'pao.log');
    const hasRun = (line: string) => typeof readLogLine(line)['run_id'] === 'string';
    // As elsewhere, `latest` is the run that was last heard of; the log knows it also when nothing runs.
    const run =
      this.flags.run === 'latest'
        ? ((readLogLine((await lastLogLines(file, 1, hasRun))?.lines[0] ?? '')['run_id'] as string) ??
          'latest')
        : this.flags.run;
    const filter = { level, service, run, task, trace };
    const isWanted = (line: string) => matchesLog(readLogLine(line), filter);
    const last = await lastLogLines(file, lines, isWanted);
    if (last === null) this.out.note(`There is no log yet: ${file}`);
    const print = await this.#printer();
    for (const line of last?.lines ?? []) print(line);
    if (last?.lines.length === 0 && lines > 0 && !follow) this.out.note(`No line of ${file} fits.`);
    if (!follow) return;
    for await (const line of followLog(file, last?.position ?? null, this.signal)) {
      if (isWanted(line)) print(line);
    }
    process.exitCode = interruptedCode(this.signal);
  }

  async #printer(): Promise<(line: string) => void> {
    const { formatLogLine, readLogLine } = await import('../cli/log-line.js');
    const { stdout } = this.process;
    if (!stdout.isTTY || this.jsonEnabled()) return (line) => stdout.write(`${line}\n`);
    return (line) => stdout.write(`${formatLogLine(readLogLine(line), this.out.paint)}\n`);
  }
}
