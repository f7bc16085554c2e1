import { ToolError } from '../../domain/tool-error.js';
import { streamWasLost } from './mcp-streams.js';

/** JSON-RPC codes of the specification that mean the call is wrong, not the moment. */
const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;
const MISSING_CAPABILITY = -32021;

/**
 * What an error of the MCP client means (agents.md A.4). The classes are told by their names and codes, so that the
 * library need not be loaded to look at an error.
 * @param sent whether the call itself had been handed to the connection; else it was connecting that failed.
 */
export function mcpError(error: unknown, name: string, sent: boolean, stderr: string): ToolError {
  const inner = toolErrorIn(error);
  if (inner) return inner;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  const words =
    stderr.trim() === '' ? '' : `; its last words: ${stderr.replace(/\s+/g, ' ').trim().slice(-300)}`;

  if (
    error instanceof Error &&
    (error.name === 'UnauthorizedError' || code === 'CLIENT_HTTP_AUTHENTICATION')
  ) {
    return new ToolError('auth', `${name}: the server wants other credentials: ${message}`);
  }
  if (code === 'CLIENT_HTTP_FORBIDDEN')
    return new ToolError('auth', `${name}: the server denied access: ${message}`);
  if (streamWasLost(error))
    return new ToolError('transport', `${name}: the stream ended before the answer.`, {
      outcomeKnown: !sent,
    });
  if (typeof code === 'number') return protocolError(code, name, message);
  switch (code) {
    case 'REQUEST_TIMEOUT':
      return new ToolError('timeout', `${name} did not answer in time: ${message}`, { outcomeKnown: !sent });
    case 'CONNECTION_CLOSED':
    case 'SEND_FAILED':
      return new ToolError('transport', `${name}: the connection to the server was lost${words}.`, {
        outcomeKnown: !sent,
      });
    case 'NOT_CONNECTED':
      return new ToolError('transport', `${name}: the server is not running${words}.`);
    case 'INVALID_RESULT':
      return new ToolError('invalid_output', `${name} answered against the protocol: ${message}`);
    case 'UNSUPPORTED_RESULT_TYPE':
    case 'INPUT_REQUIRED_ROUNDS_EXCEEDED':
      return new ToolError(
        'tool_error',
        `${name} asks a person for something, and nobody is there in a pipeline.`,
        { retryable: false },
      );
    case 'ERA_NEGOTIATION_FAILED':
      return new ToolError(
        'transport',
        `${name}: no common revision of the protocol could be agreed on: ${message}`,
      );
    case 'ENOENT':
    case 'EACCES':
      return new ToolError('config_error', `${name}: the server cannot be started: ${message}`);
  }
  if (message === 'Not connected')
    return new ToolError('transport', `${name}: the server is not running${words}.`);
  return new ToolError('transport', `${name}: ${message}`, { outcomeKnown: !sent });
}

function protocolError(code: number, name: string, message: string): ToolError {
  if (code === INVALID_PARAMS || code === METHOD_NOT_FOUND) {
    return new ToolError('config_error', `${name}: the server does not know this call: ${message}`, {
      details: { code },
    });
  }
  if (code === MISSING_CAPABILITY) {
    return new ToolError(
      'tool_error',
      `${name} asks a person for something, and nobody is there in a pipeline.`,
      {
        retryable: false,
        details: { code },
      },
    );
  }
  return new ToolError('tool_error', `${name} failed: ${message}`, { details: { code } });
}

/** Whether the server says that the session of the connection is unknown (HTTP 404 on an established session). */
export function sessionIsGone(error: unknown): boolean {
  return (error as { data?: { status?: unknown } } | null)?.data?.status === 404;
}

/** A ToolError of our own fetch, wherever the library wrapped it. */
function toolErrorIn(error: unknown): ToolError | null {
  let current = error;
  for (let depth = 0; depth < 6 && current !== null && typeof current === 'object'; depth++) {
    if (current instanceof ToolError) return current;
    const { cause, data } = current as { cause?: unknown; data?: { cause?: unknown } };
    current = cause ?? data?.cause;
  }
  return null;
}
