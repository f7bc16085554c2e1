// The entry point of a child process: light, and not through oclif (architecture.md).
import { systemClock } from '../domain/clock.js';
import { parseDuration } from '../domain/duration.js';
import { EXIT, PaoError } from '../domain/errors.js';
import { isRedisUrl } from '../domain/redis-url.js';
import { IpcBus } from './bus/ipc-bus.js';
import { openBus } from './bus/open-bus.js';
import { readDatabaseUrl } from './store/database-url.js';
import { ServiceClock } from './service-clock.js';
import type { RunningService } from './services/base.js';
import type { FromChild, ServiceInit, ToChild } from './supervisor/service-messages.js';

let service: RunningService | null = null;
let starting: Promise<void> | null = null;
let stopping = false;

const tell = (message: FromChild): Promise<void> =>
  new Promise((resolve) =>
    process.connected ? process.send?.(message, undefined, undefined, () => resolve()) : resolve(),
  );

async function start(init: ServiceInit): Promise<void> {
  const near = new IpcBus();
  const clock = init.clockOffsetMs === null ? systemClock : new ServiceClock(init.clockOffsetMs);
  if (clock instanceof ServiceClock) clock.follow(near);
  try {
    const { startService } = await import('./services/start-service.js');
    const { database_direct_url: direct, postgres } = init.config;
    const bus = await openBus(init.config, near, {
      postgres:
        readDatabaseUrl(init.databaseUrl)?.engine === 'postgres'
          ? { url: direct ?? init.databaseUrl, connectTimeoutMs: parseDuration(postgres.connect_timeout) }
          : undefined,
      onState: (isUp, reason) => tellBusState(init, isUp, reason),
    });
    service = await startService(init, bus, clock);
    await tell({ type: 'ready', ...(service.url === undefined ? {} : { url: service.url }) });
  } catch (error) {
    const known = error instanceof PaoError ? error : null;
    if (known === null)
      process.stderr.write(
        `${JSON.stringify({ level: 'error', service: init.slot, msg: String(error), stack: error instanceof Error ? error.stack : undefined })}\n`,
      );
    await tell({
      type: 'failed',
      error: {
        code: known?.code ?? 'PAO_SERVICE_FAILED',
        message: known?.message ?? `${init.slot} could not start: ${String(error)}`,
        exitCode: known?.exitCode ?? EXIT.bug,
        status: known?.status ?? 500,
        hints: known?.hints ?? ['pao logs --level error'],
      },
    });
    process.exit(known?.exitCode ?? EXIT.bug);
  }
}

/** The supervisor writes each line into the log of the system. */
function tellBusState({ slot, config }: ServiceInit, isUp: boolean, reason: string | null): void {
  const what = isRedisUrl(config.redis_url) ? 'Redis' : 'PostgreSQL (LISTEN)';
  const msg = isUp ? `${what} is reached` : `${what} is away: other machines are woken by their polls alone`;
  const line = { level: isUp ? 'info' : 'warn', time: new Date().toISOString(), service: slot, reason, msg };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

async function stop(graceMs: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  try {
    await starting;
    const summary = (await service?.stop(graceMs)) ?? {};
    await tell({ type: 'stopped', summary });
    process.exit(0);
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ level: 'error', msg: 'stopping failed', err: String(error) })}\n`,
    );
    process.exit(EXIT.failed);
  }
}

process.on('message', (message: ToChild | { bus: string }) => {
  if (!('type' in message)) return;
  if (message.type === 'init') starting = start(message.init);
  else void stop(message.graceMs);
});
// Without its supervisor a child has no business: what it holds is taken back when the leases run out.
process.on('disconnect', () => process.exit(EXIT.failed));
// Ctrl-C reaches the whole process group; the supervisor decides what becomes of it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => void stop(25_000));
