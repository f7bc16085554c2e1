import { expect, it } from 'vitest';
import type { Completion, LeasedRun } from '../../../src/server/store/store.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { ObservationBuffer } from '../../../src/server/telemetry/observation-buffer.js';
import type { SpanRecord } from '../../../src/server/telemetry/tracing.js';
import { RunReport } from '../../../src/server/worker/run-report.js';

const leased = (leaseToken: number) =>
  ({
    run: { id: 'run_1', taskId: 'tsk_1', attempt: 1, runAt: 0, trigger: 'manual', traceId: null },
    leaseToken,
    spec: { name: 'sleeper' },
  }) as unknown as LeasedRun;

const ending = (leaseToken: number, status: Completion['status']): Completion => ({
  runId: 'run_1',
  leaseToken,
  steps: [],
  status,
  reason: null,
  error: null,
  output: null,
  finishedAt: 9,
});

it('a run that waits in between, or loses its lease, has a span for each time it was leased, no id twice', () => {
  const spans: SpanRecord[] = [];
  const report = new RunReport({
    observations: new ObservationBuffer(() => {}),
    logger: silentLogger,
    tracer: { span: (one) => spans.push(one), close: async () => {} },
    pings: null,
    monotonic: () => 0,
  });
  for (const [token, status] of [
    [1, 'waiting'],
    [3, 'succeeded'],
  ] as const) {
    report.started(leased(token), 1);
    report.ended(leased(token), 1, 1);
    report.written([ending(token, status)]);
  }
  report.started(leased(4), 1);
  report.ended(leased(4), 1, 1);
  report.fenced(['run_1']);
  expect(spans.map(({ name, error = null }) => [name, error])).toEqual([
    ['lease', null],
    ['run sleeper', null],
    ['lease', null],
    ['run sleeper', null],
    ['lease', null],
    ['run sleeper', 'The lease was lost; another worker went on.'],
  ]);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(6);
  expect(new Set(spans.map(({ parentSpanId }) => parentSpanId)).size).toBe(1);
});
