import type { Paint } from './colour.js';
import { visible } from './visible.js';

/** One line of a log file; what it holds beyond these depends on who wrote it. */
export interface LogRecord {
  time?: string;
  level?: string;
  service?: string;
  msg?: string;
  [field: string]: unknown;
}

/** Which lines are wanted; all conditions hold at once. */
export interface LogFilter {
  /** Least severe level that is shown. */
  level?: string | undefined;
  /** A service such as `api`, `scheduler`, `w1`, or `worker` for all workers. */
  service?: string | undefined;
  run?: string | undefined;
  task?: string | undefined;
  /** A trace, as 32 hex digits. */
  trace?: string | undefined;
}

/** Levels from least to most severe. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const PUBLIC_FIELDS = new Set(['time', 'level', 'service', 'msg']);
const LEVEL_COLOUR: Record<string, keyof Paint> = {
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
  info: 'green',
};

/** Reads a line of a log file; a line that is no JSON object is a message. */
export function readLogLine(line: string): LogRecord {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as LogRecord;
  } catch {
    // What a crashing process wrote last may be cut off.
  }
  return { msg: line };
}

/** Whether a record is one of those that are wanted. */
export function matchesLog(record: LogRecord, { level, service, run, task, trace }: LogFilter): boolean {
  if (level !== undefined && severity(record.level) < severity(level)) return false;
  if (service !== undefined && !isOf(record, service)) return false;
  if (run !== undefined && record['run_id'] !== run && !isIn(record['run_ids'], run)) return false;
  if (trace !== undefined && record['trace_id'] !== trace.toLowerCase()) return false;
  return task === undefined || record['task_id'] === task || record['task'] === task;
}

/** Lines without a level come from a process that could not log any more: they count as errors. */
function severity(level: string | undefined): number {
  const at = (LOG_LEVELS as readonly string[]).indexOf(level ?? 'error');
  return at === -1 ? LOG_LEVELS.indexOf('error') : at;
}

function isOf(record: LogRecord, service: string): boolean {
  const names = [record.service, record['slot']].filter((name) => typeof name === 'string');
  return names.some((name) => name === service || (service === 'worker' && /^w\d+$/.test(name)));
}

function isIn(list: unknown, value: string): boolean {
  return Array.isArray(list) && list.includes(value);
}

/** `HH:MM:SS level service message key=value`, in the local time of this machine; safe for a terminal. */
export function formatLogLine(record: LogRecord, paint: Paint): string {
  const level = record.level ?? 'error';
  const colour = LEVEL_COLOUR[level];
  const fields = Object.entries(record)
    .filter(([name]) => !PUBLIC_FIELDS.has(name))
    .map(([name, value]) => `${paint.dim(`${visible(name)}=`)}${visible(fieldText(value))}`);
  const head = [
    paint.dim(timeOfDay(record.time)),
    colour === undefined ? level.padEnd(5) : paint[colour](level.padEnd(5)),
    paint.cyan(visible(String(record.service ?? '-')).padEnd(10)),
  ];
  return [...head, visible(String(record.msg ?? '')), ...fields].join(' ');
}

function timeOfDay(time: string | undefined): string {
  const at = new Date(time ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return '--:--:--';
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** An error's message is enough on one line; its stack is in the file. */
function fieldText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  const message = (value as { message?: unknown } | null)?.message;
  return JSON.stringify(typeof message === 'string' ? message : value) ?? '';
}
