import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';

/** A file that is for its owner alone, as it was read. */
export interface PrivateText {
  text: string;
  /** Changes with the file. */
  stamp: string;
}

/**
 * Reads a file of secrets.
 * @returns null when there is none.
 * @throws PaoError PAO_SECRET_FILE_OPEN when others on this machine may read it, PAO_SECRET_FILE when it can not be read.
 */
export async function readPrivate(path: string): Promise<PrivateText | null> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new PaoError('PAO_SECRET_FILE', `Cannot read ${path}: ${(error as Error).message}.`, {
      exitCode: EXIT.unavailable,
      hints: [`ls -l ${path}`],
      cause: error,
    });
  }
  try {
    // The open file is asked, not the path: between the two it could have been exchanged.
    const stat = await handle.stat();
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      throw new PaoError(
        'PAO_SECRET_FILE_OPEN',
        `${path} can be read by others on this machine; run: chmod 600 ${path}`,
        { exitCode: EXIT.unavailable, hints: [`chmod 600 ${path}`] },
      );
    }
    return {
      text: await handle.readFile('utf8'),
      stamp: `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`,
    };
  } finally {
    await handle.close();
  }
}

/** Writes a file whole or not at all, for its owner alone; it is on the disk when this returns. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
  // The name is on the disk with its folder; where a folder can not be synced (Windows) the system does without.
  const folder = await open(dirname(path), 'r').catch(() => null);
  await folder?.sync().catch(() => {});
  await folder?.close();
}
