import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { rulesFile } from './rule-files.js';

/** The path of a program, or null when it is not installed. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Runs promtool. @returns null when it is not installed. */
export async function promtool(
  args: string[],
  input = '',
): Promise<{ code: number | null; output: string } | null> {
  const path = findProgram('promtool');
  if (path === null) return null;
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  return { code, output: output.trim() };
}

/** A Prometheus that can be asked: one that was started for the checks, or one that runs anyway. */
export interface Prometheus {
  /** Asks its HTTP API for `/api/v1/PATH`. @throws Error that says what it answered. */
  ask<T>(path: string, signal: AbortSignal): Promise<T>;
  close(): Promise<void>;
}

/** A Prometheus that runs anyway. @param given its address; a name and password in it are sent as basic authentication. */
export function attachPrometheus(given: string): Prometheus {
  const url = new URL(given);
  const { username, password } = url;
  url.username = url.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const headers =
    username === '' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  const base = url.href.replace(/\/+$/, '');
  return {
    ask: (path, signal) => askPrometheus(`${base}/api/v1/${path}`, headers, signal),
    close: async () => {},
  };
}

async function askPrometheus<T>(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<T> {
  const response = await fetch(url, { headers, signal });
  const text = await response.text();
  let answer: { status?: string; data?: unknown; error?: string } = {};
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    // Whatever it is, it is no Prometheus; the status says more.
  }
  if (answer.status !== 'success') {
    const why = answer.error ?? `status ${response.status}`;
    throw new Error(`${url.replace(/\?.*/, '')} does not answer as a Prometheus does (${why}).`);
  }
  return answer.data as T;
}

/** A real Prometheus that scrapes a system each second by the shipped rules, with every `for` cut to a second. */
export async function startPrometheus(target: {
  url: string;
  token: string;
  packageRoot: string;
}): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'pao-prometheus-'));
  const port = await freePort();
  writeFileSync(join(folder, 'token'), target.token, { mode: 0o600 });
  writeFileSync(
    join(folder, 'rules.yml'),
    readFileSync(rulesFile(target.packageRoot), 'utf8').replace(/^( +for:).*$/gm, '$1 1s'),
  );
  const settings = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yml'],
    scrape_configs: [
      {
        job_name: 'pao',
        authorization: { credentials_file: join(folder, 'token') },
        static_configs: [{ targets: [new URL(target.url).host] }],
      },
    ],
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(settings));
  const child = spawn(
    findProgram('prometheus') ?? 'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=1h',
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  return {
    async ask<T>(path: string, signal: AbortSignal) {
      if (child.exitCode !== null) throw new Error(`Prometheus ended with exit code ${child.exitCode}.`);
      return askPrometheus<T>(`http://127.0.0.1:${port}/api/v1/${path}`, {}, signal);
    },
    async close() {
      if (child.exitCode === null) {
        const gone = new Promise((done) => child.once('exit', done));
        child.kill('SIGTERM');
        await gone;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
