import { readdirSync, readFileSync } from 'node:fs';

/** A process that may end and whose id may be used again by another one. */
export interface ProcessMark {
  pid: number;
  /** proc(5), field 22: start time in clock ticks; null where there is no /proc. */
  start: string | null;
}

/** Remembers a process so that {@link isThere} can tell it from a later one with the same id. */
export function markOf(pid: number): ProcessMark {
  return { pid, start: statOf(pid)?.[19] ?? null };
}

/** Whether that very process still is; a zombie is not. */
export function isThere({ pid, start }: ProcessMark): boolean {
  const fields = statOf(pid);
  if (fields !== null) return fields[0] !== 'Z' && (start === null || fields[19] === start);
  if (start !== null) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ids of all processes that descend from one now; empty where there is no /proc. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of list('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(Number(name));
    if (fields && fields[0] !== 'Z') parents.set(Number(name), Number(fields[1]));
  }
  const found: number[] = [];
  for (let level = [pid]; level.length > 0; ) {
    level = [...parents].filter(([, parent]) => level.includes(parent)).map(([id]) => id);
    found.push(...level);
  }
  return found;
}

/** Sends a signal to a process that may be gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The fields of /proc/PID/stat from the third on: state, parent, … */
function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
