import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { EphemeralSystem } from '../ephemeral-system.js';

/** What a system holds at a moment. */
export interface Footprint {
  /** Processes below the supervisor. */
  processes: number;
  /** Open files by place (`api`, `w1`, …), sockets and pipes not counted; empty where there is no /proc. */
  files: Record<string, number>;
  /** Resident memory by place, MiB. */
  memory_mib: Record<string, number>;
  /** What lies in the system's folder for temporary files. */
  temporary: string[];
}

/** Looks at the processes of a system from the outside, through /proc. */
export function footprintOf(own: EphemeralSystem): Footprint {
  const children = own.descendants();
  const files: Record<string, number> = {};
  const memory: Record<string, number> = {};
  for (const pid of [own.pid, ...children]) {
    const place = pid === own.pid ? 'supervisor' : placeOf(pid);
    files[place] = openFiles(pid);
    memory[place] = residentMib(pid);
  }
  return {
    processes: children.length,
    files,
    memory_mib: memory,
    temporary: existsSync(own.temporary) ? readdirSync(own.temporary) : [],
  };
}

/** The place is the last argument of a service's process. */
function placeOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).split('\0').filter(Boolean).at(-1) ?? String(pid);
}

function openFiles(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(join(folder, fd)).startsWith('/');
      } catch {
        return false;
      }
    }).length;
  } catch {
    return 0;
  }
}

function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '0';
  return Math.round(Number(kib) / 1024);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
