import type { CALL_OUTCOMES } from '../../domain/observability/catalogue.js';
import type { ToolError } from '../../domain/tool-error.js';

export type CallOutcome = (typeof CALL_OUTCOMES)[number];

const DNS_ERROR = /^(ENOTFOUND|EAI_|ENODATA)/;
const TLS_ERROR = /^(ERR_TLS_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_|EPROTO)/;

/** How a failed call ended, in the closed list of the metric; null when nothing was sent, so that there was no call. */
export function outcomeOfError(error: ToolError): CallOutcome | null {
  const status = error.details?.['status'];
  if (typeof status === 'number') return status >= 500 ? 'http_5xx' : status >= 400 ? 'http_4xx' : 'schema';
  if (error.details?.['circuit'] === 'open') return 'circuit_open';
  switch (error.kind) {
    case 'invalid_input':
    case 'config_error':
    case 'auth':
    case 'budget':
      return null;
    case 'timeout':
    case 'too_large':
    case 'blocked':
    case 'canceled':
      return error.kind;
    case 'invalid_output':
    case 'truncated':
      return 'schema';
    case 'transport': {
      const code = String(error.details?.['code'] ?? '');
      return DNS_ERROR.test(code) ? 'dns' : TLS_ERROR.test(code) ? 'tls' : 'connect';
    }
    default:
      return 'tool_error';
  }
}

/** What an outcome says about the other side, for the circuit breaker. */
export function verdictOf(outcome: CallOutcome | null): 'worked' | 'failed' | 'neither' {
  switch (outcome) {
    case 'http_5xx':
    case 'timeout':
    case 'connect':
    case 'dns':
    case 'tls':
      return 'failed';
    // It answered, if only to say no.
    case 'ok':
    case 'http_4xx':
    case 'schema':
    case 'tool_error':
      return 'worked';
    default:
      return 'neither';
  }
}
