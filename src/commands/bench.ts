import type { RuleSpeed } from '../checks/bench/measure-recurrence.js';
import type { SystemMeasure } from '../checks/bench/measure-system.js';
import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';

/** What `pao bench --json` prints. */
export interface BenchDocument {
  node: string;
  pao: string;
  /** Load of the machine before and after; `busy`: others worked on it as well. */
  machine: { before: MachineState; after: MachineState; busy: boolean };
  /** null: left out by --only. */
  system: SystemMeasure | null;
  recurrence: { slowest_per_second: number; rules: Record<string, RuleSpeed> } | null;
}

type MachineState = { cpus: number; load: number; busy: boolean };

/** Measures what pao does on this machine. */
export default class Bench extends BaseCommand<typeof Bench> {
  static override summary = 'Measure what pao does on this machine';
  static override description =
    'Starts a system of its own in a temporary directory, measures it and removes it; a system that runs is left alone, but shares the machine. About half a minute. Figures of a busy machine say little: it is told when it was.';
  static override examples = [
    '<%= config.bin %> bench',
    '<%= config.bin %> bench --only system --runs 50000 --json',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    only: Flags.string({ summary: 'One part alone', options: ['system', 'recurrence'] }),
    runs: Flags.integer({ summary: 'Runs of the full queue', default: 5000, min: 200, max: 1_000_000 }),
  };

  async run(): Promise<BenchDocument> {
    const { only, runs } = this.flags;
    const { signal, packageRoot } = this;
    const { machine } = await import('../checks/bench/running-system.js');
    const say = (what: string) => this.out.note(this.out.paintNote.dim(`${what}…`));
    const before = machine();
    let recurrence: BenchDocument['recurrence'] = null;
    if (only !== 'system') {
      say('Next occurrences of twelve rules');
      const { measureRecurrence } = await import('../checks/bench/measure-recurrence.js');
      const rules = await measureRecurrence(150, signal);
      const slowest = Math.min(...Object.values(rules).map((rule) => rule.next_per_second));
      recurrence = { slowest_per_second: slowest, rules };
    }
    let system: SystemMeasure | null = null;
    if (only !== 'recurrence') {
      const { measureSystem } = await import('../checks/bench/measure-system.js');
      system = await measureSystem({ packageRoot, signal, say, runs, rounds: 100, idleSeconds: 5 });
    }
    const document: BenchDocument = {
      node: process.version,
      pao: this.config.version,
      machine: { before, after: machine(), busy: before.busy },
      system,
      recurrence,
    };
    const { showBench } = await import('../cli/render/bench-lines.js');
    showBench(document, this.out);
    return document;
  }
}
