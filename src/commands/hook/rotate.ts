import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { readTextInput } from '../../cli/json-input.js';
import { showHookSecret } from '../../cli/render/hook-details.js';
import type { NewHookObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { formatDuration } from '../../domain/duration.js';

/** Gives an inbound webhook a new secret. */
export default class HookRotate extends BaseCommand<typeof HookRotate> {
  static override summary = 'Give a webhook a new secret; the one it has counts for a while';
  static override examples = [
    '<%= config.bin %> hook rotate shop',
    '<%= config.bin %> hook rotate shop --grace 0s',
  ];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };
  static override flags = {
    grace: durationFlag({
      summary: 'How long the old secret counts; 24h when left out, 0s ends it at once',
      default: 24 * 3_600_000,
      defaultHelp: async () => '24h',
    }),
    'secret-file': Flags.string({
      summary: 'A secret that the sender made: a file, or - for stdin; one is made when left out',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<NewHookObject> {
    const { grace, 'secret-file': file } = this.flags;
    const connection = this.connection();
    const hook = await new PaoClient(connection).rotateHook(
      this.args.name,
      {
        grace_seconds: Math.ceil(grace / 1000),
        secret: file === undefined ? undefined : (await readTextInput(file, this.process)).trim(),
      },
      { signal: this.signal },
    );
    const old = grace === 0 ? 'the old one has ended' : `the old one ends in ${formatDuration(grace)}`;
    this.out.success(`${hook.name} has a new secret; ${old}`);
    showHookSecret(this.out, hook, connection.url);
    return hook;
  }
}
