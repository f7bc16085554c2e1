import { ENDPOINT_FLAGS, FLEET_FLAGS, ForegroundCommand } from '../cli/foreground-command.js';
import { Flags } from '../cli/flags.js';

/** One worker of a fleet. */
export default class Worker extends ForegroundCommand<typeof Worker> {
  static override summary = 'Run one worker of a fleet over a shared PostgreSQL';
  static override description =
    'Leases due runs and executes them, here, until Ctrl-C. Start as many as you like, on as many machines. With --tag it takes, besides the tasks that ask for nothing, those whose runs_on tags it has all of.';
  static override examples = [
    'DATABASE_URL=postgres://pao@db/pao <%= config.bin %> worker',
    '<%= config.bin %> worker --database postgres://pao@db/pao --concurrency 32 --tag gpu --tag home',
  ];
  static override flags = {
    ...FLEET_FLAGS,
    ...ENDPOINT_FLAGS,
    concurrency: Flags.integer({ summary: 'Runs done at once (PAO_WORKER_CONCURRENCY; 16)', helpValue: 'N' }),
    tag: Flags.string({
      summary: 'A tag that tasks can ask for with runs_on',
      multiple: true,
      helpValue: 'TAG',
    }),
  };

  protected readonly kind = 'worker' as const;

  protected override settings() {
    return { worker_concurrency: this.flags.concurrency, worker_tags: this.flags.tag };
  }
}
