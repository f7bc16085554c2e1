import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { warningLines } from '../../cli/render/task-lines.js';
import { fromNow, zonedTime } from '../../cli/render/task-time.js';
import type { OccurrenceObject, OccurrencesObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Says when a task runs next. */
export default class TaskNext extends BaseCommand<typeof TaskNext> {
  static override summary = 'Say when a task runs next';
  static override examples = [
    '<%= config.bin %> task next morning-briefing',
    '<%= config.bin %> task next morning-briefing --count 20 --from 2027-03-26',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    count: Flags.integer({ char: 'n', summary: 'How many', default: 5, min: 1, max: 1000 }),
    from: Flags.string({
      summary: 'From then on: 2027-03-26T00:00:00Z, a date or time in the zone of the task, or 7d',
      helpValue: 'TIME',
    }),
  };

  async run(): Promise<OccurrencesObject> {
    const { count, from } = this.flags;
    const client = new PaoClient(this.connection());
    const task = await client.findTask(this.args.name, { signal: this.signal });
    const { momentOf } = await import('../../cli/render/moment.js');
    const examples = ['--from 2027-03-26', '--from 7d', '--from 2027-03-26T00:00:00Z'];
    const begin = from === undefined ? null : momentOf(from, Date.now(), task.timezone, examples);
    const query = {
      count,
      signal: this.signal,
      ...(begin === null ? {} : { from: new Date(begin).toISOString() }),
    };
    const answer = await client.occurrences(task.id, query);
    const now = Date.now();
    this.out.note(`${task.name}: ${answer.words ?? task.words}`);
    if (task.state !== 'active') this.out.warn(`The task is ${task.state}: it does not run now.`);
    const zone = answer.timezone ?? task.timezone;
    const noneText =
      task.schedule === null || ['event', 'condition'].includes(task.schedule.kind)
        ? `No times are fixed for it: pao task run ${task.name}`
        : `There is no further occurrence: pao task show ${task.name}`;
    this.out.table<OccurrenceObject>(
      answer.items,
      [
        { header: 'LOCAL TIME', value: ({ at, local }) => zonedTime(at, local, zone) },
        { header: 'UTC', value: ({ at }) => at },
        { header: 'IN', value: ({ at }) => fromNow(at, now) },
        ...(answer.items.some(({ note }) => note)
          ? [{ header: 'NOTE', value: ({ note }: OccurrenceObject) => note ?? '' }]
          : []),
      ],
      noneText,
    );
    warningLines(answer.warnings ?? [], this.out);
    return answer;
  }
}
