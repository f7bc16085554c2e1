import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../find-program.js';
import { freePort } from '../../free-port.js';

/** A real Redis of a test's own. */
export interface RedisServer {
  url: string;
  port: number;
  /** SIGKILL: what was in it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts `redis-server` on a free port, without persistence. It is looked for on the PATH, else installed from Debian's
 * packages when we may.
 * @throws Error that says how to get one.
 */
export async function startRedis(options: { password?: string } = {}): Promise<RedisServer> {
  const program = findProgram('redis-server');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'pao-redis-'));
  let child: ChildProcess | null = null;
  const start = async () => {
    const own = spawn(
      program,
      [
        ...[
          '--port',
          String(port),
          '--bind',
          '127.0.0.1',
          '--save',
          '',
          '--appendonly',
          'no',
          '--dir',
          folder,
        ],
        ...(options.password === undefined ? [] : ['--requirepass', options.password]),
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    child = own;
    await new Promise<void>((resolve, reject) => {
      own.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (text.includes('Ready to accept connections')) resolve();
      });
      own.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
    own.stdout.resume();
  };
  const end = async (signal: NodeJS.Signals) => {
    const own = child;
    child = null;
    if (own === null || own.exitCode !== null) return;
    const gone = new Promise((resolve) => own.once('exit', resolve));
    own.kill(signal);
    await gone;
  };
  await start();
  const auth = options.password === undefined ? '' : `:${options.password}@`;
  return {
    url: `redis://${auth}127.0.0.1:${port}`,
    port,
    kill: () => end('SIGKILL'),
    restart: start,
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
