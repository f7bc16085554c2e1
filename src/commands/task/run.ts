import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import type { DryRunObject } from '../../cli/render/dry-run.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { EXIT } from '../../domain/errors.js';

const DEFAULT_TIMEOUT_MS = 5 * 60_000;

/** Starts a task now. */
export default class TaskRun extends BaseCommand<typeof TaskRun> {
  static override summary = 'Run a task now';
  static override description =
    'With --wait the exit code is 0 when the run succeeded (also in part, or skipped), 1 when it failed, 124 when it took too long. Ctrl-C ends the waiting; the run goes on.';
  static override examples = [
    '<%= config.bin %> task run morning-briefing --wait',
    '<%= config.bin %> task run report --param days=3 --param city=Chisinau',
    '<%= config.bin %> task run morning-briefing --dry-run',
    `<%= config.bin %> task run report --params '{"days": 3}' --wait --timeout 1m --json`,
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    param: Flags.string({
      summary: 'A parameter; JSON is taken as such, all else as text',
      helpValue: 'NAME=VALUE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    params: Flags.string({ summary: 'The parameters as a JSON object', helpValue: 'JSON' }),
    wait: Flags.boolean({ summary: 'Wait until the run has ended' }),
    timeout: durationFlag({ summary: 'Longest wait; 5m when left out', dependsOn: ['wait'] }),
    force: Flags.boolean({ summary: 'Run also when the dedupe window says that it ran already' }),
    'dry-run': Flags.boolean({
      summary: 'Only show what it would do: call tools that read, and nothing else',
      exclusive: ['wait', 'force'],
    }),
    outputs: Flags.string({
      summary: 'With --dry-run: what steps give in place of being called, as {"STEP": …}',
      helpValue: 'JSON|@FILE',
      dependsOn: ['dry-run'],
    }),
  };

  async run(): Promise<RunObject | DryRunObject> {
    const { readRunParams } = await import('../../cli/render/run-params.js');
    const { param, params: json, force, wait, timeout } = this.flags;
    const params = readRunParams(param, json);
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    if (this.flags['dry-run']) return this.#dryRun(client, id, params);
    const input = { ...(params ? { params } : {}), ...(force ? { force } : {}) };
    const run = await client.runTask(id, input, { signal: this.signal });
    if (!wait) {
      this.out.line(run.id);
      const why = run.reason === null ? '' : ` (${run.reason})`;
      if (run.status === 'skipped')
        this.out.warn(`${run.task_name}: skipped${why}; --force runs it all the same`);
      else this.out.success(`${run.task_name}: ${run.status}${why}`);
      this.out.hint(`pao run watch ${run.id}`);
      return run;
    }
    const { waitAndTell } = await import('../../cli/render/run-wait.js');
    const options = { signal: this.signal, timeoutMs: timeout ?? DEFAULT_TIMEOUT_MS };
    return waitAndTell(client, run.id, this.out, options);
  }

  async #dryRun(
    client: PaoClient,
    id: string,
    params: Record<string, unknown> | undefined,
  ): Promise<DryRunObject> {
    const { showDryRun } = await import('../../cli/render/dry-run.js');
    const { readJsonInput } = await import('../../cli/json-input.js');
    const { outputs } = this.flags;
    const run = (await client.runTask(
      id,
      {
        dry_run: true,
        params,
        ...(outputs === undefined
          ? {}
          : { outputs: await readJsonInput(outputs, '--outputs', this.process) }),
      },
      { signal: this.signal },
    )) as unknown as DryRunObject;
    showDryRun(run, this.out);
    if (!['succeeded', 'partial', 'skipped'].includes(run.status)) process.exitCode = EXIT.failed;
    return run;
  }
}
