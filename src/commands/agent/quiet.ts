import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { quietPairs } from '../../cli/render/agent-details.js';
import type { AgentObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { invalidInput } from '../../domain/errors.js';

/** Sets when an agent's messages wait. */
export default class AgentQuiet extends BaseCommand<typeof AgentQuiet> {
  static override summary = 'When the messages of an agent wait: quiet hours and vacations';
  static override description =
    'Without flags it shows them. Quiet hours and vacations are set apart from each other; --off ends both. A task may have its own quiet hours in its file.';
  static override examples = [
    '<%= config.bin %> agent quiet admin --from 22:00 --to 09:00 --timezone Europe/Chisinau',
    '<%= config.bin %> agent quiet admin --vacation 2026-12-24..2027-01-02 --timezone Europe/Chisinau',
    '<%= config.bin %> agent quiet admin --off',
  ];
  static override args = { name: Args.string({ summary: 'Its name or id', required: true }) };
  static override flags = {
    from: Flags.string({ summary: 'Local time at which it begins', dependsOn: ['to'], helpValue: 'HH:MM' }),
    to: Flags.string({ summary: 'Local time at which it ends', dependsOn: ['from'], helpValue: 'HH:MM' }),
    timezone: Flags.string({ summary: 'Whose clock counts, such as Europe/Berlin', helpValue: 'ZONE' }),
    days: Flags.string({ summary: 'The days on which it begins', dependsOn: ['from'], helpValue: 'MO,TU' }),
    digest: Flags.boolean({ summary: 'What waited is one message at the end', dependsOn: ['from'] }),
    vacation: Flags.string({
      summary: 'First and last day',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'DATE..DATE',
    }),
    off: Flags.boolean({
      summary: 'No quiet hours and no vacation any more',
      exclusive: ['from', 'vacation'],
    }),
  };

  async run(): Promise<AgentObject> {
    const { from, to, timezone, days, digest, vacation, off } = this.flags;
    const client = new PaoClient(this.connection());
    const agent = await client.findAgent(this.args.name, { signal: this.signal });
    if (from === undefined && vacation === undefined && !off) {
      const pairs = quietPairs(agent);
      if (pairs.length > 0) this.out.pairs(pairs);
      else
        this.out.note(
          `Messages of ${agent.name} never wait: pao agent quiet ${agent.name} --from 22:00 --to 07:00 --timezone ZONE`,
        );
      return agent;
    }
    if (!off && timezone === undefined)
      throw invalidInput('A time of day needs a time zone.', [], ['Add --timezone Europe/Berlin']);
    const zone = timezone ?? 'UTC';
    const window = {
      from: from ?? '',
      to: to ?? '',
      timezone: zone,
      ...(days === undefined ? {} : { days: days.split(',').map((day) => day.trim().toUpperCase()) }),
      ...(digest ? { digest } : {}),
    };
    const changed = await client.setAgentQuiet(
      agent.id,
      {
        quiet_hours: off ? [] : from === undefined ? (agent.quiet_hours ?? []) : [window],
        vacation: off
          ? []
          : vacation === undefined
            ? (agent.vacation ?? [])
            : vacation.map((text) => ({ ...readRange(text), timezone: zone })),
      },
      { signal: this.signal },
    );
    this.out.success(off ? `Messages of ${agent.name} never wait` : `Messages of ${agent.name} wait then`);
    this.out.pairs(quietPairs(changed));
    return changed;
  }
}

function readRange(text: string): { from: string; to: string } {
  const [from = '', to = from] = text.split('..');
  return { from, to };
}
