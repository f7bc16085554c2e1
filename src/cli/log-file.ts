import { type FileHandle, open } from 'node:fs/promises';
import { pause } from '../client/http-transport.js';

const LOOK_EVERY_MS = 200;
const CHUNK_BYTES = 64 * 1024;
/** How many older files the supervisor keeps beside the log (`pao.log.1` is the newest of them). */
const OLDER_FILES = 5;

/** Where a reader stands: the file, and the bytes of it that were read. */
export interface LogPosition {
  inode: number;
  offset: number;
}

/**
 * The last lines of a log that are wanted, oldest first; files that were rotated away are read as far as needed.
 * @returns the lines, and where in the newest file to go on; null when there is no log.
 */
export async function lastLogLines(
  file: string,
  count: number,
  isWanted: (line: string) => boolean,
): Promise<{ lines: string[]; position: LogPosition | null } | null> {
  const newest = await readWhole(file);
  if (newest === null) return null;
  let lines = newest.lines.filter(isWanted);
  for (let index = 1; index <= OLDER_FILES && lines.length < count; index++) {
    const older = await readWhole(`${file}.${index}`);
    if (older === null) break;
    lines = [...older.lines.filter(isWanted), ...lines];
  }
  return { lines: count === 0 ? [] : lines.slice(-count), position: newest.position };
}

async function readWhole(file: string): Promise<{ lines: string[]; position: LogPosition } | null> {
  const handle = await openIfThere(file);
  if (handle === null) return null;
  try {
    const { ino } = await handle.stat();
    const bytes = await handle.readFile();
    // A line that is being written is left to the next look.
    const end = bytes.lastIndexOf(0x0a) + 1;
    return {
      lines: bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1),
      position: { inode: ino, offset: end },
    };
  } finally {
    await handle.close();
  }
}

/** The lines that are added to a log from now on, over rotations; ends when the signal is aborted. */
export async function* followLog(
  file: string,
  from: LogPosition | null,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  let reader: LogReader | null = null;
  try {
    while (!signal.aborted) {
      reader ??= await LogReader.open(file, from);
      if (reader !== null) {
        const isRotated = await reader.isRotated(file);
        // What was written before the rotation is read first.
        yield* reader.read();
        if (isRotated) {
          await reader.close();
          reader = null;
          from = null;
          continue;
        }
      }
      await pause(LOOK_EVERY_MS, signal).catch(() => {});
    }
  } finally {
    await reader?.close();
  }
}

/** Reads what is added to one file, line by line. */
class LogReader {
  #rest: Buffer = Buffer.alloc(0);

  private constructor(
    private readonly handle: FileHandle,
    private readonly inode: number,
    private offset: number,
  ) {}

  static async open(file: string, from: LogPosition | null): Promise<LogReader | null> {
    const handle = await openIfThere(file);
    if (handle === null) return null;
    const { ino } = await handle.stat();
    return new LogReader(handle, ino, from?.inode === ino ? from.offset : 0);
  }

  async isRotated(file: string): Promise<boolean> {
    const there = await openIfThere(file);
    // Between two names of the file: it is the next look's to see.
    if (there === null) return false;
    try {
      return (await there.stat()).ino !== this.inode;
    } finally {
      await there.close();
    }
  }

  async *read(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const { bytesRead, buffer } = await this.handle.read(
        Buffer.alloc(CHUNK_BYTES),
        0,
        CHUNK_BYTES,
        this.offset,
      );
      if (bytesRead === 0) return;
      this.offset += bytesRead;
      const bytes = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#rest = bytes.subarray(end);
      yield* bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
