import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { CommandClass } from '../../src/cli/base-command.js';
import { BundledPlugin } from '../../src/cli/bundled-plugin.js';
import { CliConfig, type CliProcess } from '../../src/cli/cli-config.js';
import { describeError, type ErrorDescription } from '../../src/cli/describe-error.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface CommandEnd {
  stdout: string;
  stderr: string;
  /** What was thrown, as it would be shown. */
  error: ErrorDescription | null;
  /** What a command without an error leaves for the process. */
  exitCode: number;
}

export interface CommandSituation {
  cwd?: string;
  input?: string;
  signal?: AbortSignal;
  env?: Record<string, string>;
  /** Told all of stdout each time something is written. */
  onStdout?: (text: string) => void;
}

/** Runs one command in this process, without a build: `runCommand('agent:create', ['mailer', '--url', url])`. */
export async function runCommand(
  id: string,
  argv: string[],
  situation: CommandSituation = {},
): Promise<CommandEnd> {
  const home = mkdtempSync(join(tmpdir(), 'pao-command-'));
  let [stdout, stderr] = ['', ''];
  const stream = (take: (text: string) => void) =>
    ({ isTTY: false, write: (text: string) => (take(text), true) }) as unknown as NodeJS.WriteStream;
  const cli: CliProcess = {
    argv: [...id.split(':'), ...argv],
    env: { PAO_HOME: home, PAO_TOKEN: 'pao_test', LANG: 'C.UTF-8', ...situation.env },
    cwd: situation.cwd ?? home,
    userHome: home,
    stdin: Readable.from(situation.input === undefined ? [] : [situation.input]) as NodeJS.ReadStream,
    stdout: stream((text) => {
      stdout += text;
      situation.onStdout?.(stdout);
    }),
    stderr: stream((text) => (stderr += text)),
    colour: { stdout: false, stderr: false },
    signal: situation.signal ?? new AbortController().signal,
  };
  const before = process.exitCode;
  let error: ErrorDescription | null = null;
  let exitCode = 0;
  try {
    const plugin = new BundledPlugin(root);
    plugin.useManifest({ version: plugin.version, commands: {} });
    const config = new CliConfig(plugin, cli);
    await config.load();
    const Class = (await plugin.findCommand(id, { must: true })) as unknown as CommandClass;
    process.exitCode = 0;
    await new Class(argv, config).execute();
    exitCode = Number(process.exitCode);
  } catch (thrown) {
    error = describeError(thrown);
    exitCode = error.exitCode;
  } finally {
    process.exitCode = before;
    rmSync(home, { recursive: true, force: true });
  }
  return { stdout, stderr, error, exitCode };
}

/** One request a {@link serve} server was sent. */
export interface SentRequest {
  method: string;
  /** Path and query. */
  path: string;
  body: unknown;
  headers: IncomingMessage['headers'];
}

export interface TestServer {
  url: string;
  requests: SentRequest[];
  close(): Promise<void>;
}

/** Answers of a server by `METHOD /path`, without the query. */
export type Routes = Record<
  string,
  (request: SentRequest, response: ServerResponse) => { status: number; body?: unknown } | undefined
>;

/** A server on a free port; what has no route is a 404 problem document. */
export async function serve(routes: Routes): Promise<TestServer> {
  const requests: SentRequest[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.on('data', (part: Buffer) => (text += part.toString()));
    incoming.on('end', () => {
      const { method = '', url: path = '', headers } = incoming;
      const request = {
        method,
        path,
        headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      requests.push(request);
      const route = routes[`${method} ${path.split('?')[0]}`];
      const answer = route
        ? route(request, response)
        : { status: 404, body: { title: 'Not Found', status: 404, detail: `There is nothing at ${path}.` } };
      if (answer === undefined) return;
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
