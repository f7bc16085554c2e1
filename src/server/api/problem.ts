import { ZodError } from 'zod';
import { EXIT, PaoError, type Problem } from '../../domain/errors.js';
import { JsonSyntaxError } from '../../domain/json.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';

/** An error as it crosses the API: RFC 9457 `application/problem+json`. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors: Problem[];
  hints: string[];
  request_id: string;
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not permitted',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Too large',
  415: 'Unsupported media type',
  421: 'Wrong host',
  422: 'Invalid input',
  429: 'Too many requests',
  500: 'Internal error',
  502: 'The tool failed',
  503: 'Not available',
  504: 'The tool timed out',
  507: 'The disk is full',
};

/**
 * Turns anything thrown into a problem document. What is not meant for people says nothing of its inside.
 * @param bodyLimit longest body of the route, bytes.
 */
export function problemOf(error: unknown, requestId: string, bodyLimit: number): ProblemDocument {
  const known = error instanceof PaoError ? error : fromFastify(error, bodyLimit);
  const status = known?.status ?? 500;
  return {
    type: `https://pao.dev/problems/${(known?.code ?? 'PAO_INTERNAL').toLowerCase().replaceAll('_', '-')}`,
    title: TITLES[status] ?? 'Error',
    status,
    detail:
      known?.message ?? 'Something went wrong inside pao; the log has the details under this request_id.',
    code: known?.code ?? 'PAO_INTERNAL',
    errors: known?.problems ?? [],
    hints: known?.hints ?? ['pao logs --level error'],
    request_id: requestId,
  };
}

function fromFastify(error: unknown, bodyLimit: number): PaoError | null {
  if (error instanceof JsonSyntaxError) return error;
  if (error instanceof ZodError)
    return new PaoError('PAO_INPUT_INVALID', 'The input is not valid.', {
      status: 422,
      problems: problemsFromZod(error),
    });
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  if (statusCode === 413 || code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new PaoError('PAO_BODY_TOO_LARGE', `The body is larger than ${bytesText(bodyLimit)}.`, {
      status: 413,
      exitCode: EXIT.usage,
      hints: ['Keep large data where a tool can fetch it, and send its address'],
    });
  if (statusCode === 415 || code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new PaoError('PAO_MEDIA_TYPE', 'The body must be application/json.', {
      status: 415,
      hints: ['Content-Type: application/json'],
    });
  }
  if (code === 'FST_ERR_BAD_URL')
    return new PaoError(
      'PAO_REQUEST_INVALID',
      'The URL is not valid: "%" must be followed by two hex digits.',
      {
        status: 400,
        exitCode: EXIT.usage,
      },
    );
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new PaoError('PAO_REQUEST_INVALID', 'The request is not valid.', { status: statusCode });
  return null;
}

const bytesText = (bytes: number): string =>
  bytes % 1_048_576 === 0 ? `${bytes / 1_048_576} MiB` : `${bytes / 1024} KiB`;
