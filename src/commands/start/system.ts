import { durationFlag, Flags } from '../../cli/flags.js';
import StartLocal from './local.js';

const DEFAULT_WAIT_MS = 15_000;

/** Runs the whole system on PostgreSQL and Redis, each part after the one before has proved healthy. */
export default class StartSystem extends StartLocal {
  static override summary = 'Run the orchestrator on PostgreSQL and Redis';
  static override description =
    'Looks for the database and for Redis first, and tries again for a while. What does not answer is replaced (SQLite, no Redis) with a clear warning; --strict refuses instead (exit code 3). More machines: pao worker, pao scheduler, pao api.';
  static override examples = [
    '<%= config.bin %> start system --database postgres://pao@db/pao --redis redis://cache:6379',
    'DATABASE_URL=postgres://pao@db/pao <%= config.bin %> start system --strict --workers 4',
  ];
  static override flags = {
    ...StartLocal.flags,
    strict: Flags.boolean({ summary: 'Do not start without what is configured' }),
    wait: durationFlag({ summary: 'How long to wait for the database and for Redis; 15s when left out' }),
  };

  protected override readonly verb = ['start', 'system', ...this.#ownFlags()];

  override async run(): Promise<unknown> {
    return this.startLocal();
  }

  protected override reach(): ReturnType<StartLocal['reach']> {
    const { strict = false, wait = DEFAULT_WAIT_MS } = this.flags as { strict?: boolean; wait?: number };
    return { strict, waitMs: wait, signal: this.signal };
  }

  #ownFlags(): string[] {
    const given = this.argv.filter((word) => word === '--strict' || word.startsWith('--wait='));
    const wait = this.argv.indexOf('--wait');
    return wait < 0 ? given : [...given, `--wait=${this.argv[wait + 1]}`];
  }
}
