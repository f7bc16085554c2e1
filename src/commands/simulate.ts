import { BaseCommand } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';
import type { SimulationDocument } from '../cli/render/simulation.js';
import { invalidInput } from '../domain/errors.js';
import type { SimulatedTask } from '../server/simulate/simulate.js';

const LONGEST_MS = 366 * 86_400_000;

/** Plays schedules through on a clock of its own. */
export default class Simulate extends BaseCommand<typeof Simulate> {
  static override summary =
    'Play schedules through ahead of time: what fires, what overlaps, what the clock does';
  static override description =
    'The real scheduler and executor on a virtual clock; nothing is called and nothing is stored. Tools answer what they answered in the last run that came through, or what --mock says; a run lasts as long as the runs before it, or what --duration says. Without --file, the active tasks of the running system.';
  static override examples = [
    '<%= config.bin %> simulate --from 2027-03-27 --to 3d --file briefing.yaml',
    '<%= config.bin %> simulate --to 7d --duration report=40m',
    '<%= config.bin %> simulate --to 30d --file tasks.yaml --ics > plan.ics',
  ];
  static override flags = {
    from: Flags.string({ summary: 'Where it begins: a date or an instant; now', helpValue: 'TIME' }),
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
    mock: Flags.string({ summary: 'YAML: what tools (or steps) answer', helpValue: 'FILE' }),
    ics: Flags.boolean({ summary: 'What fires, as iCalendar' }),
    limit: Flags.integer({ summary: 'Occurrences shown', default: 50, min: 1, max: 100_000 }),
  };

  async run(): Promise<SimulationDocument | { ics: string }> {
    const { momentOf } = await import('../cli/render/simulation-input.js');
    const { simulate } = await import('../server/simulate/simulate.js');
    const from = this.flags.from === undefined ? Date.now() : momentOf(this.flags.from, Date.now());
    const to = momentOf(this.flags.to, from);
    if (to <= from || to - from > LONGEST_MS)
      throw invalidInput(
        'The time must end after it begins, within a year.',
        [],
        ['--from 2027-03-27 --to 7d'],
      );
    const tasks = await this.#tasks(from);
    const began = performance.now();
    const simulation = await simulate({ tasks, from, to, signal: this.signal });
    const tookMs = Math.round(performance.now() - began);
    const { showSimulation, simulationDocument } = await import('../cli/render/simulation.js');
    const document = simulationDocument(simulation, tasks, { from, to, tookMs });
    if (this.flags.ics) return this.#calendar(document, tasks, { from, to });
    showSimulation(document, this.out, this.flags.limit);
    return document;
  }

  async #tasks(from: number): Promise<SimulatedTask[]> {
    const input = await import('../cli/render/simulation-input.js');
    const { file, duration = [], mock } = this.flags;
    const durations = input.readDurations(duration);
    const mocks = await input.readMocks(mock, this.process);
    const { readSimulatedTask } = await import('../server/simulate/read-simulated-task.js');
    const found =
      file === undefined
        ? await input.tasksOfSystem(this.connection(), this.signal)
        : await input.tasksOfFiles(file, this.process);
    return found.map(({ id, input: written, snoozedUntil, historyMs, outputs, located }) => {
      try {
        const spec = readSimulatedTask(written, from);
        const durationMs = durations(spec.name) ?? historyMs ?? 0;
        return { id, spec, snoozedUntil, durationMs, outputs: { ...outputs, ...mocks } };
      } catch (error) {
        throw located(error);
      }
    });
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
