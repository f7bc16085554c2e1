import { ENDPOINT_FLAGS, FLEET_FLAGS, ForegroundCommand } from '../cli/foreground-command.js';

/** One scheduler of a fleet. */
export default class Scheduler extends ForegroundCommand<typeof Scheduler> {
  static override summary = 'Run one scheduler of a fleet over a shared PostgreSQL';
  static override description =
    'Turns what is due into runs, here, until Ctrl-C. Any number may run: the database sees to it that each occurrence is written once.';
  static override examples = [
    'DATABASE_URL=postgres://pao@db/pao <%= config.bin %> scheduler',
    '<%= config.bin %> scheduler --database postgres://pao@db/pao --metrics-port 9464',
  ];
  static override flags = { ...FLEET_FLAGS, ...ENDPOINT_FLAGS };

  protected readonly kind = 'scheduler' as const;
}
