import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer of the real server on its way back. */
export interface PassingAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What happens to an answer: changed, held back for ever, or cut off. */
export type Sabotage = (answer: PassingAnswer) => PassingAnswer | 'hang' | 'drop';

/** Changes the headers and the JSON body of a request in place. */
// oxlint-disable-next-line typescript/no-explicit-any -- the body is whatever is sent to that route
export type Rewrite = (body: any, headers: IncomingHttpHeaders) => void;

export interface SabotageProxy {
  url: string;
  /** From now on: the requests that fit get this. `route` is `METHOD /path`, as text that begins it or a pattern. */
  break(route: string | RegExp, sabotage: Sabotage): void;
  /** From now on: what is asked with such a request is changed on its way there. */
  rewrite(route: string | RegExp, change: Rewrite): void;
  /** Everything passes as it is again. */
  mend(): void;
  close(): Promise<void>;
}

/** A server that passes everything on to a real system and spoils what it is told to. */
export async function startSabotageProxy(target: string): Promise<SabotageProxy> {
  let rules: { route: string | RegExp; sabotage: Sabotage }[] = [];
  let rewrites: { route: string | RegExp; change: Rewrite }[] = [];
  const serve = (incoming: IncomingMessage, asked: string, outgoing: ServerResponse) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const upstream = new URL(path, target);
    const rewrite = rewrites.find(({ route }) => fits(route, `${method} ${path}`));
    const body: unknown = rewrite && asked !== '' ? JSON.parse(asked) : undefined;
    rewrite?.change(body, headers);
    const text = body === undefined ? asked : JSON.stringify(body);
    const { 'content-length': _, 'transfer-encoding': __, ...rest } = headers;
    const length = text === '' ? {} : { 'content-length': Buffer.byteLength(text) };
    const options = { method, headers: { ...rest, ...length, host: upstream.host } };
    const sent = httpRequest(upstream, options, (answer) => pass(`${method} ${path}`, answer, outgoing));
    sent.on('error', () => outgoing.destroy());
    outgoing.on('close', () => sent.destroy());
    sent.end(text);
  };
  const pass = (request: string, answer: IncomingMessage, outgoing: ServerResponse) => {
    const rule = rules.find(({ route }) => fits(route, request));
    if (!rule) {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      return;
    }
    let body = '';
    answer.setEncoding('utf8').on('data', (part: string) => (body += part));
    answer.on('end', () => {
      const spoiled = rule.sabotage({ status: answer.statusCode ?? 502, headers: answer.headers, body });
      if (spoiled === 'hang') return;
      if (spoiled === 'drop') return void outgoing.destroy();
      const { 'content-length': _, 'transfer-encoding': __, ...rest } = spoiled.headers;
      outgoing.writeHead(spoiled.status, rest);
      outgoing.end(spoiled.body);
    });
  };
  const server = createServer((incoming, outgoing) => {
    let asked = '';
    incoming.setEncoding('utf8').on('data', (part: string) => (asked += part));
    incoming.on('end', () => serve(incoming, asked, outgoing));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    break: (route, sabotage) => void rules.push({ route, sabotage }),
    rewrite: (route, change) => void rewrites.push({ route, change }),
    mend() {
      rules = [];
      rewrites = [];
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

const fits = (route: string | RegExp, request: string) =>
  typeof route === 'string' ? request.startsWith(route) : route.test(request);

/** Another status. */
export const withStatus =
  (status: number): Sabotage =>
  (answer) => ({ ...answer, status });

/** Another body: a JSON value made from the one there was. */
export const withBody =
  // The body is whatever the API answers on that route.
    <T>(change: (body: T) => unknown): Sabotage =>
    (answer) => ({ ...answer, body: JSON.stringify(change(JSON.parse(answer.body) as T)) });

/** Another value of a header; undefined takes it away. */
export const withHeader =
  (name: string, value: string | undefined): Sabotage =>
  (answer) => {
    const { [name]: _, ...rest } = answer.headers;
    return { ...answer, headers: value === undefined ? rest : { ...rest, [name]: value } };
  };
