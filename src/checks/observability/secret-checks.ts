import type { Check } from '../check.js';
import { ensure } from '../ensure.js';
import { makeTask, makeTool, runToEnd, steps } from '../make.js';
import { until } from '../until.js';
import { type ObservedSystem, scrape, SECRET_NAME } from './context.js';

/** What is said about a run that used a secret. */
export const secretChecks: Check<ObservedSystem>[] = [
  {
    id: 'secrets.hidden',
    title: 'A secret that a run used, and that came back in an error, is in no log, metric, trace or run',
    group: 'Logs',
    requires: ['ephemeral-server'],
    async run(live, tools) {
      const { stub, secret } = live;
      const call = async (path: string) => {
        const tool = await makeTool(live, tools, {
          kind: 'http',
          side_effect: 'read',
          input_schema: {},
          grants: [stub.host],
          http: {
            method: 'GET',
            url: `${stub.url}/${path}`,
            headers: { 'X-Key': `\${secrets.${SECRET_NAME}}` },
          },
        });
        const task = await makeTask(live, tools, steps({ id: 'call', uses: tool.address }));
        return live.client.getRun((await runToEnd(live, tools, task)).id, tools);
      };
      const runs = [await call('secret-echo'), await call('secret-echo-fail')];
      const used = stub.requests.filter(({ headers }) => headers['x-key'] === secret).length;
      ensure(used === runs.length, 'The tool was not sent the secret: nothing is proved.', tools.rerun, {
        used,
      });
      const exported = () =>
        stub.requests.filter(({ path }) => path === '/v1/traces').map(({ body }) => body);
      await until(
        'the traces to be exported, and the end of the runs to be in the log',
        () =>
          runs.every(
            ({ id, trace_id }) =>
              exported().some((body) => body.includes(String(trace_id))) &&
              (live.own?.readLog() ?? '').includes(id),
          ),
        { signal: tools.signal, timeoutMs: live.patienceMs, hint: tools.rerun },
      );
      const places: Record<string, string> = {
        log: live.own?.readLog() ?? '',
        terminal: live.own?.output ?? '',
        metrics: await scrape(live, tools.signal),
        traces: exported().join('\n'),
        runs: JSON.stringify(runs),
      };
      const forms = [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')];
      const found = Object.keys(places).filter((place) =>
        forms.some((form) => places[place]?.includes(form)),
      );
      ensure(found.length === 0, `The secret stands in: ${found.join(', ')}.`, tools.rerun, { found });
      return {
        scanned: Object.fromEntries(Object.entries(places).map(([place, text]) => [place, text.length])),
      };
    },
  },
];
