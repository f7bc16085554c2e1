import { dirname } from 'node:path';
import { EXIT, PaoError } from '../../../domain/errors.js';

/** The SQLite result code of an error, or null when it is not one of SQLite's. */
export function sqliteCode(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null;
}

/** Whether another connection holds the lock that was asked for: worth trying again. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'));
}

/** Whether the error is about the data of one statement, not about the database. */
export function isConstraint(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_CONSTRAINT') ?? false;
}

/**
 * Puts an error of SQLite or of the file system into words; anything else is returned as it is.
 * @param location the file, for the message.
 */
export function explainSqliteError(error: unknown, location: string): unknown {
  if (error instanceof PaoError) return error;
  const code = sqliteCode(error) ?? (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') return error;
  const because = error instanceof Error ? error.message : String(error);
  const options = { exitCode: EXIT.unavailable, status: 503, cause: error };
  // The last one: the index of the log is a file too, and can not grow.
  if (['SQLITE_FULL', 'ENOSPC', 'EDQUOT', 'SQLITE_IOERR_SHMSIZE'].includes(code))
    return diskFull(location, error);
  if (code === 'SQLITE_NOTADB') return notADatabase(location, error);
  if (code.startsWith('SQLITE_CORRUPT')) return corruptStore(location, because, error);
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS') return readonlyStore(location, error);
  if (
    code === 'SQLITE_CANTOPEN' ||
    code.startsWith('SQLITE_CANTOPEN_') ||
    code === 'EACCES' ||
    code === 'EPERM'
  ) {
    return new PaoError('PAO_STORE_UNREADABLE', `The database ${location} can not be opened: ${because}.`, {
      ...options,
      hints: [
        `ls -l ${location}`,
        'The user who runs pao must be able to read and write the file and its directory',
      ],
    });
  }
  if (isBusy(error)) {
    return new PaoError(
      'PAO_STORE_BUSY',
      `The database ${location} was locked by another process for too long.`,
      {
        ...options,
        hints: ['pao status', 'Is another program (a backup, the sqlite3 shell) holding a transaction open?'],
      },
    );
  }
  if (code.startsWith('SQLITE_IOERR')) {
    return new PaoError('PAO_STORE_IO', `The disk failed while ${location} was read or written (${code}).`, {
      ...options,
      hints: ['pao doctor --only database', 'dmesg | tail'],
    });
  }
  return error;
}

/** There is no room on the disk. */
export function diskFull(location: string, cause?: unknown): PaoError {
  return new PaoError('PAO_DISK_FULL', `The disk is full: nothing more can be written to ${location}.`, {
    exitCode: EXIT.unavailable,
    status: 507,
    hints: [
      `df -h ${dirname(location)}`,
      'Make room; work goes on by itself then',
      'pao db prune deletes old history',
    ],
    cause,
  });
}

/** The file holds something else. */
export function notADatabase(
  location: string,
  cause?: unknown,
  because = 'is not an SQLite database',
): PaoError {
  return new PaoError('PAO_STORE_NOT_A_DATABASE', `${location} ${because}; it was not changed.`, {
    exitCode: EXIT.unavailable,
    status: 503,
    hints: [
      `file ${location}`,
      'Name another file with DATABASE_URL=sqlite:PATH, or restore a backup with pao db restore',
    ],
    cause,
  });
}

/** The file is damaged. */
export function corruptStore(location: string, because: string, cause?: unknown): PaoError {
  return new PaoError('PAO_STORE_CORRUPT', `The database ${location} is damaged: ${because}.`, {
    exitCode: EXIT.unavailable,
    status: 503,
    hints: ['pao db restore', 'Keep a copy of the damaged file; nothing was changed in it'],
    cause,
  });
}

/** The file or its directory can not be written. */
export function readonlyStore(location: string, cause?: unknown): PaoError {
  return new PaoError('PAO_STORE_READONLY', `The database ${location} can not be written: it is read-only.`, {
    exitCode: EXIT.unavailable,
    status: 503,
    hints: [
      `ls -ld ${location}`,
      'SQLite also writes beside the file: its directory must be writable, on a disk that is not mounted read-only',
    ],
    cause,
  });
}
