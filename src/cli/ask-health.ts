import { get } from 'node:http';
import { HttpTransport } from '../client/http-transport.js';
import { ApiError } from '../client/problem-error.js';
import type { HealthReport } from '../domain/health.js';

/** Where to ask, and as whom. */
export interface HealthQuestion {
  url: string;
  token: string | null;
  /** What the address comes from, for the error that nothing answers there. */
  from?: string | undefined;
  /** Longest silence of the server, milliseconds. */
  timeoutMs: number;
  signal: AbortSignal;
}

/**
 * How a server says it is; one that is unhealthy answers 503 with a report all the same.
 * @returns what it answered, which another kind of server may have made.
 * @throws PaoError PAO_UNREACHABLE (exit 3), PAO_TIMEOUT (exit 124), ApiError for another answer than a report.
 */
export async function askHealth(question: HealthQuestion): Promise<HealthReport | null> {
  const { signal } = question;
  try {
    const { body } = await new HttpTransport(question).send<HealthReport | null>({
      method: 'GET',
      path: '/health',
      signal,
    });
    return body;
  } catch (error) {
    if (!(error instanceof ApiError) || error.httpStatus !== 503) throw error;
    // The client keeps no more of a refusal than its problem document, and a report is none.
    const report = await reportOfRefusal(question);
    if (report === null) throw error;
    return report;
  }
}

async function reportOfRefusal({
  url,
  token,
  timeoutMs,
  signal,
}: HealthQuestion): Promise<HealthReport | null> {
  const address = `${url.replace(/\/+$/, '')}/health`;
  const request = address.startsWith('https:') ? (await import('node:https')).get : get;
  const headers = {
    accept: 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(address, { headers, signal, timeout: timeoutMs }, (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        received += part;
      });
      response.once('end', () => resolve(received));
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.once('timeout', () => sent.destroy(new Error('The server went silent.')));
  });
  try {
    const report = JSON.parse(text) as HealthReport | null;
    return Array.isArray(report?.checks) ? report : null;
  } catch {
    return null;
  }
}
