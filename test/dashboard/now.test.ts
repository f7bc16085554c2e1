import { expect, test } from 'vitest';

interface AskedApi {
  get(path: string): Promise<unknown>;
}
interface NowView {
  load(context: { api: AskedApi; signal: AbortSignal }): Promise<{ next: unknown }>;
}

test('what is due is asked anew by whoever signs in next: nobody sees the agenda of another', async () => {
  // Written for browsers: the types of these tests know none.
  const { nowView } = (await import('../../src/dashboard/views/now.js' as string)) as { nowView: NowView };
  const apiOf = (name: string): AskedApi => ({
    get: async (path) =>
      path.startsWith('v1/agenda')
        ? { items: [], often: [{ at: '2999-01-01T00:00:00Z', task_name: name }] }
        : { status: 'healthy', version: '0', uptime_seconds: 1, checks: [], items: [], next_cursor: null },
  });
  const { signal } = new AbortController();
  const [ana, ben] = [apiOf('of-ana'), apiOf('of-ben')];
  expect(JSON.stringify((await nowView.load({ api: ana, signal })).next)).toContain('of-ana');
  expect(JSON.stringify((await nowView.load({ api: ben, signal })).next)).toContain('of-ben');
});
