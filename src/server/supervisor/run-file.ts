import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What runs on a data directory; written when it is ready, removed when it stops. */
export interface RunFile {
  pid: number;
  /** Start time of the process in clock ticks since boot (Linux), so that a reused pid is not taken for it. */
  process_start: string | null;
  url: string;
  version: string;
  started_at: string;
  home: string;
  database: string;
  log_file: string;
  /** The pao.config.yaml that was read; null: none. Not there in what an older pao wrote. */
  config_file?: string | null;
}

const pathOf = (home: string) => join(home, 'run', 'server.json');

/** Writes the file whole or not at all. */
export function writeRunFile(home: string, content: RunFile): void {
  const path = pathOf(home);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRunFile(home: string): void {
  rmSync(pathOf(home), { force: true });
}

/** What runs on a data directory. @returns null when nothing does; a file left by a process that died is no answer. */
export function readRunFile(home: string): RunFile | null {
  let content: RunFile;
  try {
    content = JSON.parse(readFileSync(pathOf(home), 'utf8')) as RunFile;
  } catch {
    return null;
  }
  return typeof content?.pid === 'number' && isAlive(content) ? content : null;
}

/** Whether the process that wrote a run file still is. */
export function isAlive({ pid, process_start }: RunFile): boolean {
  if (!isProcessAlive(pid)) return false;
  if (process_start === null) return true;
  const now = processStart(pid);
  return now === null || now === process_start;
}

/** Whether there is a process of that id, whoever's it is. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return processStart(pid) !== 'zombie';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), null where there is no /proc; a zombie is dead. */
export function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'zombie' : (fields[19] ?? null);
  } catch {
    return null;
  }
}
