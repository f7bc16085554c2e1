import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { SuiteReport } from '../checks/check.js';
import { FORMAT_OF_EXTENSION, REPORTERS, type ReportFormat } from '../checks/reporters/index.js';
import { EXIT, PaoError } from '../domain/errors.js';
import { makeFolder } from '../server/supervisor/make-folder.js';

/** A report that is to be written. */
export interface ReportFile {
  path: string;
  format: ReportFormat;
}

/**
 * Finds out which report files are wanted and whether they can be written, before anything is checked.
 * Missing folders are made.
 * @throws PaoError (exit 2) PAO_REPORT_FORMAT for an ending that means no format, PAO_REPORT_UNWRITABLE.
 */
export function openReportFiles(flags: { junit?: string[]; report?: string[] }, cwd: string): ReportFile[] {
  const files: ReportFile[] = [
    ...(flags.junit ?? []).map((path) => ({ path: resolve(cwd, path), format: 'junit' as const })),
    ...(flags.report ?? []).map((path) => ({ path: resolve(cwd, path), format: formatOf(path) })),
  ];
  for (const { path } of files) tryToWrite(path);
  return files;
}

/** As {@link openReportFiles}, for a file of another form. @returns its absolute path. */
export function openWritable(path: string, cwd: string): string {
  const absolute = resolve(cwd, path);
  tryToWrite(absolute);
  return absolute;
}

/** Writes the reports; each file is there whole or not at all. */
export function writeReportFiles(files: readonly ReportFile[], report: SuiteReport): void {
  for (const { path, format } of files) writeWhole(path, REPORTERS[format](report));
}

/** Writes a file that is there whole or not at all. */
export function writeWhole(path: string, text: string): void {
  const unfinished = unfinishedName(path);
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

function formatOf(path: string): ReportFormat {
  const extension = extname(path).toLowerCase();
  const format = FORMAT_OF_EXTENSION[extension];
  if (format !== undefined) return format;
  throw new PaoError('PAO_REPORT_FORMAT', `The ending of ${path} says no format of a report.`, {
    exitCode: EXIT.usage,
    hints: [`Use one of ${Object.keys(FORMAT_OF_EXTENSION).join(', ')}`],
  });
}

function tryToWrite(path: string): void {
  if (basename(path) === '-') {
    throw new PaoError('PAO_REPORT_UNWRITABLE', 'A report is a file; standard output has the answer.', {
      exitCode: EXIT.usage,
      hints: ['Write the name of a file, or use --json'],
    });
  }
  const trial = unfinishedName(path);
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw Object.assign(new Error('it is a directory'), { code: 'it is a directory' });
    }
    makeFolder(dirname(path), 0o777);
    writeFileSync(trial, '');
    rmSync(trial);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new PaoError(
      'PAO_REPORT_UNWRITABLE',
      `The report ${path} can not be written (${code ?? message}).`,
      {
        exitCode: EXIT.usage,
        hints: [`ls -ld ${dirname(path)}`],
        cause: error,
      },
    );
  }
}

const unfinishedName = (path: string) => join(dirname(path), `.${basename(path)}.${process.pid}`);
