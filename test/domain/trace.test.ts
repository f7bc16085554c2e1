import { describe, expect, it } from 'vitest';
import {
  parseTracestate,
  storedTrace,
  traceIdOf,
  traceOfRequest,
  traceStateOf,
} from '../../src/domain/observability/trace.js';

const PARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

describe('tracestate', () => {
  it.each([
    ['a=1,b@vendor=x y', 'a=1,b@vendor=x y'],
    [' a=1 , , b=2 ', 'a=1,b=2'],
    ['', null],
    ['A=1', null],
    ['a', null],
    ['a=é', null],
    [Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(), null],
    [`a=${'x'.repeat(256)},b=${'x'.repeat(256)}`, null],
    [undefined, null],
  ])('%j is read as %j', (given, read) => {
    expect(parseTracestate(given)).toBe(read);
  });

  it('goes with a valid traceparent alone, and is stored with the trace', () => {
    expect(traceOfRequest('nonsense', 'a=1').state).toBeNull();
    const trace = traceOfRequest(PARENT, 'a=1,b=x y');
    const run = { id: 'run_x', traceId: storedTrace(trace) };
    expect([traceIdOf(run), traceStateOf(run)]).toEqual(['a'.repeat(32), 'a=1,b=x y']);
    const plain = { id: 'run_x', traceId: storedTrace(traceOfRequest(PARENT)) };
    expect([plain.traceId, traceStateOf(plain)]).toEqual(['a'.repeat(32), null]);
  });
});
