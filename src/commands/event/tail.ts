import { BaseCommand } from '../../cli/base-command.js';
import { interruptedCode } from '../../cli/cli-config.js';
import { tailEvents } from '../../cli/event-tail.js';
import { Flags } from '../../cli/flags.js';
import { eventLine } from '../../cli/render/event-line.js';
import { instantBefore } from '../../cli/render/run-since.js';
import { PaoClient } from '../../client/pao-client.js';
import { formatDuration } from '../../domain/duration.js';

/** Prints events as they are published, until Ctrl-C. */
export default class EventTail extends BaseCommand<typeof EventTail> {
  static override summary = 'Print events as they are published, until Ctrl-C';
  static override description = 'With --json each event is one line of JSON (NDJSON).';
  static override examples = [
    '<%= config.bin %> event tail',
    '<%= config.bin %> event tail --topic "mail.*" --since 1h',
    '<%= config.bin %> event tail --json | jq .topic',
  ];
  static override flags = {
    topic: Flags.string({
      summary: 'Only this topic; * is one word, # any number of them',
      helpValue: 'PATTERN',
    }),
    since: Flags.string({
      summary:
        'Begin with what was published since then: 15m, 2h, a date or time here, or 2026-11-24T06:30:00Z',
      helpValue: 'TIME',
    }),
  };

  async run(): Promise<void> {
    const { topic, since } = this.flags;
    this.beginStream();
    const events = tailEvents(new PaoClient(this.connection()), {
      topic,
      since: since === undefined ? undefined : Date.parse(instantBefore(since, Date.now())),
      signal: this.signal,
      onGap: () =>
        this.out.warn('Events were published meanwhile that are not kept any more: they are missing here.'),
      onReconnect: (error, waitMs) => {
        const reason = error instanceof Error ? ` (${error.message})` : '';
        this.out.detail(`The stream ended${reason}; again in ${formatDuration(waitMs)}.`);
      },
    });
    try {
      for await (const event of events) this.stream(event, () => eventLine(this.out, event));
    } catch (error) {
      // Ctrl-C is how this ends; only a failure that came by itself is one.
      if (!this.signal.aborted) throw error;
    }
    if (this.signal.aborted) process.exitCode = interruptedCode(this.signal);
  }
}
