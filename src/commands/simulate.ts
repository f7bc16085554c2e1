import { BaseCommand } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';
import type { SimulationDocument } from '../cli/render/simulation.js';
import { invalidInput } from '../domain/errors.js';
import type { SimulatedTask } from '../server/simulate/simulation.js';

const LONGEST_MS = 366 * 86_400_000;

/** Plays schedules through on a clock of its own. */
export default class Simulate extends BaseCommand<typeof Simulate> {
  static override summary =
    'Play schedules through ahead of time: what fires, what overlaps, what it costs, what the clock does';
  static override description =
    'The real scheduler and executor on a virtual clock; nothing is called and nothing is stored. Tools answer what they answered in the last run that came through, or what --mock says; a run lasts as long as the runs before it, or what --duration says. What models cost is the median of past runs, or estimated from the pipeline, and budgets hold. Without --file, the active tasks of the running system, with the budgets and quiet hours of their agents.';
  static override examples = [
    '<%= config.bin %> simulate --from 2027-03-27 --to 3d --file briefing.yaml',
    '<%= config.bin %> simulate --to 7d --duration report=40m',
    '<%= config.bin %> simulate --file tasks.yaml --tools catalog.yaml --prices prices.yaml --agent agent.yaml',
    '<%= config.bin %> simulate --file tasks.yaml --event mail.received@2h',
    '<%= config.bin %> simulate --to 30d --file tasks.yaml --ics > plan.ics',
  ];
  static override flags = {
    from: Flags.string({
      summary: 'Where it begins: a date (midnight of PAO_TIMEZONE, else of this machine) or an instant; now',
      helpValue: 'TIME',
    }),
    to: Flags.string({ summary: 'Where it ends, or how long it lasts', default: '7d', helpValue: 'TIME' }),
    file: Flags.string({
      char: 'f',
      summary: 'Task files, or - for stdin; no server is needed',
      multiple: true,
      helpValue: 'FILE',
    }),
    duration: Flags.string({
      summary: 'How long runs last: 5m, or NAME=5m for one task',
      multiple: true,
      helpValue: '[NAME=]TIME',
    }),
    agent: Flags.string({
      summary: 'YAML: budget, quiet_hours and vacation of the agent of --file',
      dependsOn: ['file'],
      helpValue: 'FILE',
    }),
    tools: Flags.string({
      summary: 'Catalog of tools: which steps of --file ask a model',
      dependsOn: ['file'],
      helpValue: 'FILE',
    }),
    prices: Flags.string({
      summary: 'What models cost; prices.yaml in the data directory',
      dependsOn: ['file'],
      helpValue: 'FILE',
    }),
    events: Flags.string({
      summary: 'YAML: events on the way: - { at: 2h, topic: mail.received, every: 1m, times: 5 }',
      helpValue: 'FILE',
    }),
    event: Flags.string({ summary: 'One event on the way', multiple: true, helpValue: 'TOPIC@TIME' }),
    mock: Flags.string({ summary: 'YAML: what tools (or steps) answer', helpValue: 'FILE' }),
    ics: Flags.boolean({ summary: 'What fires, as iCalendar' }),
    limit: Flags.integer({ summary: 'Rows shown of each table', default: 50, min: 1, max: 100_000 }),
  };

  async run(): Promise<SimulationDocument | { ics: string }> {
    const { isLocal, momentOf } = await import('../cli/render/moment.js');
    const { loadConfig } = await import('../server/config.js');
    const { simulate } = await import('../server/simulate/simulate.js');
    const { config } = await loadConfig({ env: this.process.env, cwd: this.process.cwd });
    const zone = config.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { from: begin, to: end } = this.flags;
    const from = begin === undefined ? Date.now() : momentOf(begin, Date.now(), zone);
    const to = momentOf(end, from, zone);
    if (isLocal(begin ?? '') || isLocal(end)) this.out.note(`--from and --to are on the clock of ${zone}.`);
    if (to <= from || to - from > LONGEST_MS)
      throw invalidInput(
        'The time must end after it begins, within a year.',
        [],
        ['--from 2027-03-27 --to 7d'],
      );
    const { situationOf } = await import('../cli/render/simulation-situation.js');
    const { tasks, notes, ...situation } = await situationOf(this.flags, from, {
      process: this.process,
      home: this.dataDirectory(),
      connection: () => this.connection(),
      signal: this.signal,
    });
    const began = performance.now();
    const simulation = await simulate({ tasks, ...situation, from, to, signal: this.signal });
    const tookMs = Math.round(performance.now() - began);
    const { showSimulation, simulationDocument } = await import('../cli/render/simulation.js');
    const document = simulationDocument(simulation, { tasks, ...situation }, { from, to, tookMs, zone });
    if (this.flags.ics) return this.#calendar(document, tasks, { from, to });
    for (const note of notes) this.out.warn(note);
    showSimulation(document, this.out, this.flags.limit);
    return document;
  }

  async #calendar(
    { runs }: SimulationDocument,
    tasks: readonly SimulatedTask[],
    window: { from: number; to: number },
  ): Promise<{ ics: string }> {
    const { simulatedCalendar } = await import('../cli/render/simulated-calendar.js');
    const ics = simulatedCalendar(runs, tasks, window);
    this.out.raw(ics);
    return { ics };
  }
}
