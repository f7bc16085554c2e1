import { afterAll, beforeAll, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { databaseErrorType, measureStore } from '../../../src/server/telemetry/measured-store.js';
import { ObservationBuffer } from '../../../src/server/telemetry/observation-buffer.js';

let store: Store;
beforeAll(async () => {
  store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  await store.migrate(0);
});
afterAll(() => store.close());

/** A measured store and what it said since it was asked for the last time: `name labels…` with how many values. */
function measured(of: Store) {
  const said: Record<string, number> = {};
  const buffer = new ObservationBuffer((batch) => {
    for (const { name, labels, values } of batch)
      said[[name, ...Object.values(labels)].join(' ')] = values.length;
  });
  let now = 0;
  const durations: number[] = [];
  const subject = measureStore(
    of,
    buffer,
    () => (now += 5),
    (ms) => durations.push(ms),
  );
  return {
    subject,
    durations,
    said() {
      buffer.flush();
      return said;
    },
  };
}

it('times each call by what kind of work it is, and answers as the store does', async () => {
  const { subject, said, durations } = measured(store);
  expect(subject.engine).toBe('sqlite');
  expect(await subject.getRun('run_none')).toBeNull();
  await subject.getTask('tsk_none');
  await subject.setMeta('a', 'b');
  await subject.lease({ workerId: 'w', now: 0, limit: 1, leaseMs: 1000, tags: [] } as never);
  expect(said()).toEqual({
    'database_query_duration_seconds read': 2,
    'database_query_duration_seconds write': 1,
    'database_query_duration_seconds claim': 1,
  });
  expect(durations).toEqual([5, 5, 5, 5]);
});

it('counts what failed by its kind, an audit record that is lost besides, and no answer that only says no', async () => {
  const full = Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
  const no = new PaoError('PAO_CONFLICT', 'there is one', { status: 409 });
  const broken = {
    ...store,
    appendAudit: () => Promise.reject(full),
    createTask: () => Promise.reject(no),
  } as unknown as Store;
  const { subject, said } = measured(broken);
  await expect(subject.appendAudit({} as never)).rejects.toBe(full);
  await expect(subject.createTask({} as never)).rejects.toBe(no);
  expect(said()).toEqual({ 'database_errors_total write disk_full': 1, audit_append_failures_total: 1 });
});

it.each([
  ['SQLITE_BUSY', 'busy'],
  ['40001', 'busy'],
  ['53100', 'disk_full'],
  ['SQLITE_IOERR_FSYNC', 'io'],
  ['PAO_STORE_IO', 'io'],
  ['58030', 'io'],
  ['SQLITE_CORRUPT', 'corrupt'],
  ['SQLITE_CONSTRAINT_UNIQUE', 'constraint'],
  ['23505', 'constraint'],
  ['57014', 'timeout'],
  ['ECONNREFUSED', 'connection'],
  ['57P01', 'connection'],
  ['whatever', 'other'],
])('%s is of the kind %s', (code, type) => {
  expect(databaseErrorType(Object.assign(new Error(code), { code }))).toBe(type);
});
