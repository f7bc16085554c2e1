import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { showEvent } from '../../cli/render/causes.js';
import { findEventId } from '../../cli/render/event-find.js';
import type { EventObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows one event. */
export default class EventShow extends BaseCommand<typeof EventShow> {
  static override summary = 'Show an event: what it carries, what led to it, and the runs it started';
  static override examples = [
    '<%= config.bin %> event show latest',
    '<%= config.bin %> event show evt_019ab3f2c5d87c2e9a4b1d3e5f607182',
  ];
  static override args = {
    id: Args.string({ description: 'Its id, the beginning of it, or latest', required: true }),
  };

  async run(): Promise<EventObject> {
    const client = new PaoClient(this.connection());
    const event = await client.getEvent(await findEventId(client, this.args.id, this.signal), {
      signal: this.signal,
    });
    showEvent(this.out, event);
    return event;
  }
}
