import { PaoError } from '../domain/errors.js';

/** What a demo server process tells its parent once it listens. */
export interface DemoServerReady {
  name: string;
  pid: number;
  url: string;
  port: number;
}

interface Running {
  url: string;
  port: number;
  close(): Promise<void>;
}

/**
 * Runs one demo server as a process: listens, says where (to the parent by IPC, to a person on stdout) and stops on
 * SIGTERM, SIGINT or when the parent is gone.
 * @param options.orFreePort take any free port when the wanted one is in use.
 */
export async function runDemoServer(options: {
  name: string;
  port: number;
  orFreePort: boolean;
  start(port: number): Promise<Running>;
}): Promise<void> {
  const server = await startOnPort(options).catch((error: unknown) => {
    process.stderr.write(`${error instanceof PaoError ? error.message : String(error)}\n`);
    process.exit(error instanceof PaoError ? error.exitCode : 1);
  });
  const stop = (): void => {
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
  process.once('disconnect', stop);
  process.stdout.write(
    `The ${options.name} demo server listens on ${server.url} (process ${process.pid}).\n`,
  );
  process.send?.({
    name: options.name,
    pid: process.pid,
    url: server.url,
    port: server.port,
  } satisfies DemoServerReady);
}

async function startOnPort(options: {
  port: number;
  orFreePort: boolean;
  start(port: number): Promise<Running>;
}) {
  try {
    return await options.start(options.port);
  } catch (error) {
    if (options.orFreePort && error instanceof PaoError && error.code === 'PAO_PORT_IN_USE')
      return options.start(0);
    throw error;
  }
}
