/** What a server answered, whatever the status. */
export interface ProbeAnswer {
  status: number;
  headers: Headers;
  /** Parsed when it is JSON, else the text. */
  body: unknown;
}

/** One request of {@link probe}. */
export interface ProbeRequest {
  method?: string;
  token?: string | null;
  headers?: Record<string, string>;
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  signal: AbortSignal;
}

/** Sends one request and takes every answer as it is: the client of the API would turn a refusal into an error. */
export async function probe(url: string, request: ProbeRequest): Promise<ProbeAnswer> {
  const { method = 'GET', token = null, headers = {}, body, signal } = request;
  const response = await fetch(url, {
    method,
    signal,
    redirect: 'manual',
    headers: {
      'user-agent': 'pao-check',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
