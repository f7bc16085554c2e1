import { REDACTED } from '../../domain/redact.js';

/** The part of pino's interface that services use; tests pass their own. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export interface LoggerOptions {
  service: string;
  level: string;
  /** Takes secret values out of a line before it is written. */
  redact?: (line: string) => string;
  /** Where lines go; standard output when left out. */
  write?: (line: string) => void;
  /** Told the level of each line that is written. */
  onLine?: (level: string) => void;
}

/** Fields that hold a credential whatever its value; values of known secrets are taken out by the redactor as well. */
const SECRET_PATHS = ['authorization', 'token', 'password', 'secret', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/** JSON lines with `time, level, service, msg` and what a caller adds (observability.md). Loads pino. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { pino } = await import('pino');
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const redact = options.redact ?? ((line: string) => line);
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRET_PATHS, censor: REDACTED },
      hooks: {
        logMethod(given, method, level) {
          options.onLine?.(this.levels.labels[level] ?? 'info');
          method.apply(this, given);
        },
      },
    },
    { write: (line: string) => write(redact(line)) },
  ) as unknown as Logger;
}
