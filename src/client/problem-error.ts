import { cut, EXIT, PaoError, type Problem } from '../domain/errors.js';

/** RFC 9457 as this API writes it; everything may be missing when a proxy answers in its stead. */
interface ProblemDocument {
  type?: unknown;
  code?: unknown;
  title?: unknown;
  detail?: unknown;
  errors?: unknown;
  hints?: unknown;
  request_id?: unknown;
}

/** An answer that is an error, with what the server said about it. */
export class ApiError extends PaoError {
  constructor(
    code: string,
    message: string,
    readonly httpStatus: number,
    options: { exitCode: number; hints: string[]; problems: Problem[] },
    /** Names the request in the server's log. */
    readonly requestId: string | null,
    /** Milliseconds the server asks us to wait. */
    readonly retryAfterMs: number | null,
  ) {
    super(code, message, { ...options, status: httpStatus });
    this.name = 'ApiError';
  }
}

/** Turns an answer that is not 2xx into an error with the exit code of `interfaces.md`. */
export function problemError(status: number, body: string, headers: Record<string, unknown> = {}): ApiError {
  const document = readDocument(body);
  const detail = firstText(document.detail, document.title);
  const code = firstText(document.code, codeOfType(document.type)) ?? `PAO_HTTP_${status}`;
  return new ApiError(
    code,
    detail ?? `The server answered ${status}${body.trim() === '' ? '' : `: ${cut(body.trim(), 200)}`}.`,
    status,
    {
      exitCode: exitCodeOf(status, code),
      // What the server says of headers is not for who types commands.
      hints: [...(status === 401 ? [] : texts(document.hints)), ...hintsOf(status)].slice(0, 5),
      problems: problemsOf(document.errors),
    },
    firstText(document.request_id, headers['x-request-id']),
    retryAfter(headers['retry-after']),
  );
}

/** The exit code for an HTTP status. @param code what the server calls the error. */
export function exitCodeOf(status: number, code?: string): number {
  if (status === 401 || status === 403) return EXIT.forbidden;
  if (status === 404 || status === 410) return EXIT.notFound;
  if ([400, 405, 406, 411, 413, 414, 415, 422, 431].includes(status)) return EXIT.usage;
  if (status === 408 || status === 504) return EXIT.timeout;
  // A tool that failed is no server that is not there: only a proxy answers 502 in its stead.
  if (status === 502 && code?.startsWith('PAO_TOOL_')) return EXIT.failed;
  // Too many requests, a full disk and a server that is not ready are all "not now".
  if ([429, 502, 503, 507].includes(status)) return EXIT.unavailable;
  return EXIT.failed;
}

function hintsOf(status: number): string[] {
  if (status === 401)
    return [
      'pao start local leaves a token in PAO_HOME; or set PAO_TOKEN',
      'pao agent rotate NAME makes a new one',
    ];
  if (status === 403) return ['pao agent list shows which scopes an agent has'];
  if (status === 503) return ['pao status'];
  if (status === 507) return ['df -h'];
  return [];
}

function readDocument(body: string): ProblemDocument {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function codeOfType(type: unknown): string | undefined {
  const tail = typeof type === 'string' ? type.split(/[/:#]/).at(-1) : undefined;
  return tail && /^PAO_[A-Z0-9_]+$/.test(tail) ? tail : undefined;
}

function problemsOf(errors: unknown): Problem[] {
  if (!Array.isArray(errors)) return [];
  return errors
    .filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
    .map(({ pointer, message, hint }) => ({
      pointer: typeof pointer === 'string' ? pointer : '',
      message: typeof message === 'string' ? message : '',
      ...(typeof hint === 'string' ? { hint } : {}),
    }));
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

function firstText(...values: unknown[]): string | null {
  return (values.find((value) => typeof value === 'string' && value !== '') as string | undefined) ?? null;
}

function retryAfter(value: unknown): number | null {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) * 1000 : null;
}
