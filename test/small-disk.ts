import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this process may mount: only then can a disk be full or read-only. */
export const canMount = (() => {
  if (process.getuid?.() !== 0) return false;
  try {
    const mount = 'mount -t tmpfs -o size=1m tmpfs /mnt && umount /mnt';
    execFileSync('unshare', ['-m', 'sh', '-c', mount], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** For tests that are left out then: said where people look for it. */
export function sayNotCovered(what: string): void {
  if (!canMount) process.stderr.write(`NOT COVERED here, it needs root and mount(8): ${what}\n`);
}

/** A file system of its own of a few megabytes. */
export interface SmallDisk {
  path: string;
  resize(megabytes: number): void;
  setReadonly(): void;
  /** Writes until nothing more fits. */
  fill(): void;
  /** Unmounts and removes it, whatever still uses it. */
  remove(): void;
}

export function mountSmallDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'pao-disk-'));
  const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'pipe' });
  mount('-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path);
  let mounted = true;
  const remove = () => {
    if (mounted) execFileSync('umount', ['-l', path]);
    mounted = false;
    rmSync(path, { recursive: true, force: true });
  };
  // Also when the tests end early.
  process.once('exit', remove);
  let fillers = 0;
  return {
    path,
    resize: (size) => mount('-o', `remount,size=${size}m`, path),
    setReadonly: () => mount('-o', 'remount,ro', path),
    fill() {
      const file = openSync(join(path, `filler-${++fillers}`), 'w');
      try {
        for (const size of [65_536, 4096]) {
          const bytes = Buffer.alloc(size, 1);
          try {
            while (writeSync(file, bytes) === size);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          }
        }
      } finally {
        closeSync(file);
      }
    },
    remove() {
      process.removeListener('exit', remove);
      remove();
    },
  };
}
