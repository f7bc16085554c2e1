import {
  type DemoReply,
  type LoopbackServer,
  type ReceivedRequest,
  startLoopbackServer,
} from '../../demo/loopback-server.js';

/** What a route does with a request: answers, never answers, or closes the connection. */
export type RouteReply = DemoReply | 'hang' | 'drop';

/** One path of a {@link ToolServer}, which one check has for itself. */
export interface ToolRoute {
  url: string;
  /** Every request so far, oldest first. */
  calls: ReceivedRequest[];
  /** How many requests wait for their answer now, and the most there were at once. */
  open: number;
  mostOpen: number;
}

/** The outside world of the checks: an HTTP server on this machine that does what each check wants. */
export interface ToolServer {
  port: number;
  url: string;
  /** What a tool must be granted to reach it. */
  grants: string[];
  /** A new path. @param answer told the request and the number of the call, from 1. */
  route(answer: (request: ReceivedRequest, call: number) => RouteReply | Promise<RouteReply>): ToolRoute;
  close(): Promise<void>;
}

/** A JSON answer. */
export const ok = (body: unknown = { ok: true }): DemoReply => ({ status: 200, body });

/** Starts a server on a free port of 127.0.0.1. @param port a certain one, to come back where it was. */
export async function startToolServer(port = 0): Promise<ToolServer> {
  const routes = new Map<string, { route: ToolRoute; answer: Parameters<ToolServer['route']>[0] }>();
  const server: LoopbackServer<never> = await startLoopbackServer<never>({
    name: 'checks',
    port,
    answer: async (request, _fault, { response }) => {
      const found = routes.get(`/${request.path.split('/')[1]}`);
      if (!found) return { status: 404, body: { error: 'There is no such route.' } };
      const { route, answer } = found;
      route.calls.push(request);
      route.mostOpen = Math.max(route.mostOpen, ++route.open);
      response.once('close', () => route.open--);
      const reply = await answer(request, route.calls.length);
      if (reply === 'drop') response.destroy();
      return typeof reply === 'string' ? null : reply;
    },
  });
  return {
    port: server.port,
    url: server.url,
    grants: [`127.0.0.1:${server.port}`],
    route(answer) {
      const path = `/r${routes.size + 1}`;
      const route: ToolRoute = { url: `${server.url}${path}`, calls: [], open: 0, mostOpen: 0 };
      routes.set(path, { route, answer });
      return route;
    },
    close: () => server.close(),
  };
}
