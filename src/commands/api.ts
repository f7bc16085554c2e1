import { FLEET_FLAGS, ForegroundCommand } from '../cli/foreground-command.js';
import { Flags } from '../cli/flags.js';

/** One API server of a fleet. */
export default class Api extends ForegroundCommand<typeof Api> {
  static override summary = 'Run one API server of a fleet over a shared PostgreSQL';
  static override description =
    'Serves HTTP and MCP, here, until Ctrl-C. The first one on an empty database makes the administrator and writes its token to credentials.json.';
  static override examples = [
    'DATABASE_URL=postgres://pao@db/pao <%= config.bin %> api --port 8080',
    '<%= config.bin %> api --database postgres://pao@db/pao --host 0.0.0.0',
  ];
  static override flags = {
    ...FLEET_FLAGS,
    port: Flags.integer({ summary: 'Port, 0 for any free one (PAO_PORT; 8080)', helpValue: 'PORT' }),
    host: Flags.string({ summary: 'Address to listen on (PAO_HOST; 127.0.0.1)', helpValue: 'HOST' }),
  };

  protected readonly kind = 'api' as const;

  protected override settings() {
    // How many workers there should be is not this process's business: one is enough to be well.
    return { port: this.flags.port, host: this.flags.host, workers: 1 };
  }
}
