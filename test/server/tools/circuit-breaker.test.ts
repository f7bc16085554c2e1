import { afterEach, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import type { Observer } from '../../../src/domain/observability/observer.js';
import { failureOf, json, someCallers, someContext, someTool, startServer } from './a-tool-system.js';

const close: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const one of close.splice(0)) await one();
});

/** A server that works when it is told to, its tool, and what is counted. */
async function system() {
  const state = { works: false };
  const server = await startServer((_request, response) =>
    json(response, { ok: state.works }, state.works ? 200 : 500),
  );
  const clock = new VirtualClock(Date.now());
  const counts = new Map<string, number>();
  const circuit: number[] = [];
  const observer: Observer = {
    add(name, labels = {}, by = 1) {
      const key = `${name} ${labels['outcome']}`;
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    observe() {},
    set: (name, _labels, value) => void (name === 'external_tool_circuit_open' && circuit.push(value)),
  };
  const callers = someCallers({}, { clock, observer });
  close.push(
    () => callers.close(),
    () => server.close(),
  );
  const tool = someTool({
    address: 'shaky.call',
    kind: 'http',
    side_effect: 'read',
    input_schema: {},
    grants: [server.target],
    http: { method: 'GET', url: server.url },
  });
  const fail = () => failureOf(callers.call(tool, {}, someContext()));
  return { state, server, clock, counts, circuit, callers, tool, fail };
}

it('a tool that fails again and again is left alone, tried after a while, and used again', async () => {
  const { state, server, clock, counts, circuit, callers, tool, fail } = await system();
  for (let index = 0; index < 10; index++) expect((await fail()).kind).toBe('tool_error');
  expect(circuit).toEqual([1]);
  expect((await fail()).details).toEqual({ circuit: 'open' });
  expect(server.requests).toHaveLength(10);
  expect(counts.get('external_tool_calls_total http_5xx')).toBe(10);
  expect(counts.get('external_tool_calls_total circuit_open')).toBe(1);
  clock.advance(30_001);
  // One call finds out that it is still so.
  expect((await fail()).kind).toBe('tool_error');
  expect((await fail()).details).toEqual({ circuit: 'open' });
  expect(server.requests).toHaveLength(11);
  clock.advance(30_001);
  state.works = true;
  for (let index = 0; index < 2; index++) await callers.call(tool, {}, someContext());
  expect(circuit).toEqual([1, 0]);
  expect(counts.get('external_tool_calls_total ok')).toBe(2);
});

it('pings of one dead place do not cut off those of another', async () => {
  const dead = await system();
  const fine = await system();
  fine.state.works = true;
  for (let index = 0; index < 12; index++)
    await failureOf(dead.callers.fetchText(dead.server.url, [dead.server.target], {}));
  expect(await dead.callers.fetchText(fine.server.url, [fine.server.target], {})).toContain('true');
});
