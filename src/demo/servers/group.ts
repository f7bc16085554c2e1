import { fork } from 'node:child_process';
import { openSync, realpathSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitWithUsage } from '../demo-server-flags.js';
import type { DemoServerReady } from '../run-demo-server.js';

const NAMES = ['weather', 'mail', 'chat', 'telegram', 'web'] as const;

const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    ...Object.fromEntries(NAMES.map((name) => [name, { type: 'string' as const }])),
  },
}) as { values: Partial<Record<'directory' | (typeof NAMES)[number], string>> };
const directory = values.directory ?? exitWithUsage('Name the directory of the demo: --directory DIRECTORY');
const entry = realpathSync(process.argv[1] as string);

const children = NAMES.map((name) => {
  const log = openSync(join(directory, `${name}.log`), 'a');
  const flags = ['--port', values[name] ?? '0', '--or-free-port'];
  if (name === 'mail') flags.push('--maildir', join(directory, 'mailbox'));
  const child = fork(join(dirname(entry), `${name}${extname(entry)}`), flags, {
    stdio: ['ignore', log, log, 'ipc'],
  });
  return { name, child };
});

let isStopping = false;
const stop = (code: number): void => {
  if (isStopping) return;
  isStopping = true;
  for (const { child } of children) child.kill('SIGTERM');
  Promise.all(
    children.map(({ child }) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))),
  ).then(() => process.exit(code));
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(0));

const ready = children.map(
  ({ name, child }) =>
    new Promise<DemoServerReady>((resolve, reject) => {
      child.once('message', (message) => resolve(message as DemoServerReady));
      child.once('exit', (code) => {
        reject(new Error(`The ${name} demo server ended with code ${code}; see ${name}.log.`));
        if (!isStopping) process.stderr.write(`The ${name} demo server ended with code ${code}.\n`);
      });
    }),
);
Promise.all(ready).then(
  (servers) => process.send?.({ servers }),
  (error: Error) => {
    process.send?.({ error: error.message });
    stop(1);
  },
);
