import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Check } from '../check.js';
import { ensure } from '../ensure.js';
import { makeTask, makeTool, runToEnd, steps } from '../make.js';
import { until } from '../until.js';
import { type ObservedSystem, scrape, SECRET_NAME, STORED_NAME } from './context.js';

const execFileLater = promisify(execFile);

/** Stores a secret as a person does: the command line of this pao, with the value on its standard input. */
async function store({ own, packageRoot, planted }: ObservedSystem): Promise<void> {
  const value = planted[STORED_NAME];
  if (own === null || value === undefined) return;
  const command = execFileLater(
    process.execPath,
    [join(packageRoot, 'bin', 'run.cjs'), 'secret', 'set', STORED_NAME],
    { env: { ...process.env, PAO_HOME: own.home } },
  );
  command.child.stdin?.end(value);
  await command;
}

/** What is said about a run that used a secret. */
export const secretChecks: Check<ObservedSystem>[] = [
  {
    id: 'secrets.hidden',
    title:
      'Secrets of every source that runs used, and that came back, are in no log, metric, trace, run or answer',
    group: 'Logs',
    requires: ['ephemeral-server'],
    async run(live, tools) {
      const { stub, secret, planted, own } = live;
      await store(live);
      const values = [secret, ...Object.values(planted)];
      const call = async (path: string, name: string) => {
        const tool = await makeTool(live, tools, {
          kind: 'http',
          side_effect: 'read',
          input_schema: {},
          grants: [stub.host],
          http: {
            method: 'GET',
            url: `${stub.url}/${path}`,
            headers: { 'X-Key': `\${secrets.${name}}` },
          },
        });
        const task = await makeTask(live, tools, steps({ id: 'call', uses: tool.address }));
        return live.client.getRun((await runToEnd(live, tools, task)).id, tools);
      };
      const runs = [await call('secret-echo', SECRET_NAME), await call('secret-echo-fail', SECRET_NAME)];
      for (const name of Object.keys(planted)) runs.push(await call('secret-echo', name));
      const sent = new Set(stub.requests.map(({ headers }) => headers['x-key']));
      const unused = values.filter((value) => !sent.has(value)).length;
      ensure(unused === 0, 'The tool was not sent the secret: nothing is proved.', tools.rerun, { unused });
      const exported = () =>
        stub.requests.filter(({ path }) => path === '/v1/traces').map(({ body }) => body);
      await until(
        'the traces to be exported, and the end of the runs to be in the log',
        () =>
          runs.every(
            ({ id, trace_id }) =>
              exported().some((body) => body.includes(String(trace_id))) &&
              (own?.readLog() ?? '').includes(id),
          ),
        { signal: tools.signal, timeoutMs: live.patienceMs, hint: tools.rerun },
      );
      const places: Record<string, string> = {
        log: own?.readLog() ?? '',
        terminal: own?.output ?? '',
        metrics: await scrape(live, tools.signal),
        traces: exported().join('\n'),
        runs: JSON.stringify(runs),
        names: JSON.stringify(await live.client.listSecrets(tools)),
      };
      const forms = values.flatMap((value) => [
        value,
        Buffer.from(value).toString('base64'),
        Buffer.from(value).toString('hex'),
      ]);
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
