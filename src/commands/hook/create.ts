import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { readTextInput } from '../../cli/json-input.js';
import { showHookSecret } from '../../cli/render/hook-details.js';
import type { NewHookObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Makes an inbound webhook. */
export default class HookCreate extends BaseCommand<typeof HookCreate> {
  static override summary = 'Make an address that another service posts to; each delivery becomes an event';
  static override description =
    'Only deliveries signed with the secret are taken, each once. The event has {hook, delivery_id, event, body} as its payload.';
  static override examples = [
    '<%= config.bin %> hook create shop --topic shop.order',
    '<%= config.bin %> hook create ci --topic ci.finished --scheme github',
    '<%= config.bin %> hook create shop --topic shop.order --secret-file secret.txt',
  ];
  static override args = { name: Args.string({ description: 'Its name', required: true }) };
  static override flags = {
    topic: Flags.string({ summary: 'Topic of its events', helpValue: 'TOPIC', required: true }),
    scheme: Flags.option({
      summary: 'How the sender signs: Standard Webhooks, or as GitHub does',
      options: ['standard', 'github'] as const,
      default: 'standard' as const,
    })(),
    'allow-repeats': Flags.boolean({
      summary: 'With --scheme github: an equal body under a new id is an event of its own',
    }),
    'secret-file': Flags.string({
      summary: 'A secret that the sender made: a file, or - for stdin; one is made when left out',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<NewHookObject> {
    const { topic, scheme, 'secret-file': file, 'allow-repeats': allowRepeats } = this.flags;
    const connection = this.connection();
    const hook = await new PaoClient(connection).createHook(
      {
        name: this.args.name,
        topic,
        scheme,
        ...(allowRepeats ? { allow_repeats: true } : {}),
        secret: file === undefined ? undefined : (await readTextInput(file, this.process)).trim(),
      },
      { signal: this.signal },
    );
    this.out.success(`Made the hook ${hook.name}: its deliveries are events on ${hook.topic}`);
    showHookSecret(this.out, hook, connection.url);
    return hook;
  }
}
