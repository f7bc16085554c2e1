import type { DatabaseOperation } from '../../domain/observability/catalogue.js';
import { PaoError } from '../../domain/errors.js';
import type { Store } from '../store/store.js';
import type { ObservationBuffer } from './observation-buffer.js';

/** What kind of work a method is; those not named here go by their first word. */
const OPERATIONS: Partial<Record<keyof Store, DatabaseOperation | null>> = {
  lease: 'claim',
  reclaim: 'claim',
  nextRunAt: 'claim',
  complete: 'complete',
  heartbeat: 'heartbeat',
  forgetWorker: 'heartbeat',
  renewLeases: 'heartbeat',
  scheduleDue: 'schedule',
  dispatchEvents: 'schedule',
  closeWindows: 'schedule',
  nextWindowAt: 'schedule',
  nextDueAt: 'schedule',
  findStrandedTasks: 'schedule',
  setNextDue: 'schedule',
  stats: 'read',
  ping: 'read',
  toolsVersion: 'read',
  schemaVersion: 'read',
  space: 'read',
  migrate: null,
  close: null,
};

const operationOf = (method: string): DatabaseOperation | null => {
  const known = OPERATIONS[method as keyof Store];
  if (known !== undefined) return known;
  return /^(get|list|find|count)/.test(method) ? 'read' : 'write';
};

/** The same store; every call of it is timed, and what fails in the database is counted by its kind. */
export function measureStore(
  store: Store,
  observations: ObservationBuffer,
  monotonic: () => number,
  /** Told how long each call took, milliseconds. */
  onDuration: (ms: number) => void = () => {},
): Store {
  const measured = new Map<PropertyKey, unknown>();
  return new Proxy(store, {
    get(target, property) {
      const known = measured.get(property);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const operation = operationOf(String(property));
      const wrapped =
        operation === null ? value.bind(target) : timed(String(property), value.bind(target), operation);
      measured.set(property, wrapped);
      return wrapped;
    },
  });

  function timed(
    name: string,
    call: (...given: unknown[]) => Promise<unknown>,
    operation: DatabaseOperation,
  ) {
    const isAudit = name === 'appendAudit';
    const isPublish = name === 'publishEvent';
    return async (...given: unknown[]) => {
      const began = monotonic();
      try {
        const result = await call(...given);
        const took = monotonic() - began;
        onDuration(took);
        observations.observe('database_query_duration_seconds', { operation }, took / 1000);
        if (isPublish) observations.add('events_published_total', { outcome: 'ok' });
        return result;
      } catch (error) {
        const type = databaseErrorType(error);
        if (type !== null) observations.add('database_errors_total', { operation, error_type: type });
        if (isAudit) observations.add('audit_append_failures_total');
        throw error;
      }
    };
  }
}

/** What failed in the database, in the words of the metric; null for an answer that only says no (not found, conflict). */
export function databaseErrorType(error: unknown): string | null {
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  if (error instanceof PaoError && error.status < 500) return null;
  if (/BUSY|LOCKED|^55P03$|^40(001|P01)$/.test(code)) return 'busy';
  if (/DISK_FULL|SQLITE_FULL|ENOSPC|EDQUOT|^53100$/.test(code)) return 'disk_full';
  if (/_IO$|IOERR|^EIO$|^58030$/.test(code)) return 'io';
  if (/CORRUPT|NOT_A_DATABASE|NOTADB|^XX00[12]$/.test(code)) return 'corrupt';
  if (/CONSTRAINT|^23/.test(code)) return 'constraint';
  if (/TIMEOUT|TIMEDOUT|^57014$/.test(code)) return 'timeout';
  if (/ECONN|EPIPE|ENOTFOUND|EHOST|ENET|CONNECT|UNREACHABLE|^08|^57P|^53300$/.test(code)) return 'connection';
  return 'other';
}
