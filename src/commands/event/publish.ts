import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { readJsonInput } from '../../cli/json-input.js';
import type { EventObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Publishes one event. */
export default class EventPublish extends BaseCommand<typeof EventPublish> {
  static override summary = 'Publish an event; the tasks that wait for its topic run';
  static override examples = [
    '<%= config.bin %> event publish mail.received --payload \'{"from": "ana@example.org"}\'',
    '<%= config.bin %> event publish build.done --payload @result.json --dedupe-key build-417',
  ];
  static override args = {
    topic: Args.string({ description: 'Its topic, such as mail.received', required: true }),
  };
  static override flags = {
    payload: Flags.string({
      char: 'p',
      summary: 'What it carries: JSON, @FILE, or - for stdin',
      helpValue: 'JSON',
    }),
    'dedupe-key': Flags.string({
      summary: 'The same key within 24 hours is the same event and runs nothing again',
      helpValue: 'KEY',
    }),
    run: Flags.string({
      summary: 'The run it is published from, which becomes its cause',
      helpValue: 'ID',
    }),
  };

  async run(): Promise<EventObject> {
    const { payload, 'dedupe-key': dedupeKey } = this.flags;
    const event = await new PaoClient(this.connection()).publishEvent(
      {
        topic: this.args.topic,
        ...(payload === undefined
          ? {}
          : { payload: await readJsonInput(payload, '--payload', this.process) }),
        dedupe_key: dedupeKey,
        run_id: this.flags.run,
      },
      { signal: this.signal },
    );
    this.out.line(event.id);
    if (event.duplicate) this.out.note(`It was published before, at ${event.created_at}.`);
    else this.out.success(`Published to ${event.topic}`);
    return event;
  }
}
