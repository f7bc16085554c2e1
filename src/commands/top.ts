import { BaseCommand } from '../cli/base-command.js';
import { tellLibraries } from '../cli/colour.js';
import { durationFlag, Flags } from '../cli/flags.js';
import type { TopSnapshot } from '../cli/top/snapshot.js';
import { PaoClient } from '../client/pao-client.js';
import { invalidInput } from '../domain/errors.js';

const INTERVAL_MS = 2000;
const SHORTEST_MS = 250;
/** A server that hangs must not freeze the screen for the half minute that a command would wait. */
const TIMEOUT_MS = 10_000;

/** Watches a running system in the terminal. */
export default class Top extends BaseCommand<typeof Top> {
  static override summary = 'Watch the running system: what runs, what waits, what failed, what is due';
  static override description =
    'A screen that is read again every two seconds; ? lists the keys, q ends it. Without a terminal, with TERM=dumb, --once or --json: one snapshot.';
  static override examples = [
    '<%= config.bin %> top',
    '<%= config.bin %> top --interval 5s',
    '<%= config.bin %> top --once',
    '<%= config.bin %> top --json',
  ];
  static override flags = {
    interval: durationFlag({ summary: 'How often to look; 2s when left out' }),
    once: Flags.boolean({ summary: 'Print one snapshot and end' }),
  };
  static override readonly drains: boolean = true;

  async run(): Promise<TopSnapshot | undefined> {
    const { once, interval = INTERVAL_MS } = this.flags;
    if (interval < SHORTEST_MS)
      throw invalidInput(`--interval is shorter than ${SHORTEST_MS}ms.`, [], ['pao top --interval 1s']);
    const { TopSource } = await import('../cli/top/source.js');
    const connection = this.connection();
    const client = new PaoClient({ ...connection, timeoutMs: TIMEOUT_MS });
    const source = new TopSource(client, connection.url);
    const isLive = !once && this.#hasScreen();
    // Before Ink is loaded: it decides about colour as it is.
    if (isLive) tellLibraries(this.process.colour.stdout, this.process.env);
    // It takes as long to load as the server takes to answer.
    const loading = isLive ? import('../cli/top/dashboard.js') : null;
    // The first look is made before anything is drawn: where no server answers, this is a command like the others.
    const first = await source.look(this.signal);
    if (loading === null) {
      const { showSnapshot } = await import('../cli/top/plain.js');
      showSnapshot(first, this.out);
      return first;
    }
    const { runDashboard } = await loading;
    await runDashboard({ client, source, first, intervalMs: interval, out: this.out, cli: this.process });
    return undefined;
  }

  /** Whether a person sits at a terminal that can be drawn on. */
  #hasScreen(): boolean {
    const { stdin, stdout, env } = this.process;
    if (this.jsonEnabled() || env['TERM'] === 'dumb') return false;
    return stdin.isTTY === true && stdout.isTTY === true && (stdout.columns ?? 0) > 0;
  }
}
