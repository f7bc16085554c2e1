import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Pao } from '../e2e/start-pao.js';

/** One request that the tool server got. */
export interface ToolRequest {
  /** `?call=` of the URL: who calls. */
  call: string;
  idempotencyKey: string | null;
}

/** A tool server in this process that counts calls and can hold back its answers. */
export interface HeldTool {
  /** `127.0.0.1:port`. */
  address: string;
  requests: ToolRequest[];
  /** Whether requests wait for {@link release}. */
  holds: boolean;
  /** Decides about one request; what it does not `answer` stays without one. */
  onCall: ((call: string, answer: () => void, response: ServerResponse) => void) | null;
  /** Answers everything that waits, and from then on at once. */
  release(): void;
  /** Answers the first so many that wait. */
  releaseSome(count: number): void;
  /** Adds `probe.read` and `probe.once` to the catalog: the same call, said to be safe to repeat and not. */
  addTo(pao: Pao): Promise<void>;
  close(): Promise<void>;
}

export async function startHeldTool(): Promise<HeldTool> {
  const waiting = new Set<ServerResponse>();
  const tool: HeldTool = {
    address: '',
    requests: [],
    holds: false,
    onCall: null,
    release() {
      tool.holds = false;
      for (const response of waiting) answer(response);
      waiting.clear();
    },
    releaseSome(count) {
      for (const response of [...waiting].slice(0, count)) {
        waiting.delete(response);
        answer(response);
      }
    },
    async addTo(pao) {
      for (const side_effect of ['read', 'once']) {
        const { status, body } = await pao.api('POST', '/v1/tools', {
          address: `probe.${side_effect}`,
          title: 'Probe',
          description: 'Counts its calls',
          kind: 'http',
          side_effect,
          grants: [target],
          http: { method: 'POST', url: `http://${target}/`, query: { call: '${input.call}' } },
        });
        if (status !== 201) throw new Error(`The tool was not taken: ${JSON.stringify(body)}`);
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
  const answer = (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  const server = createServer((request, response) => {
    const key = request.headers['idempotency-key'];
    const call = new URL(request.url as string, 'http://localhost').searchParams.get('call') ?? '';
    tool.requests.push({
      call,
      idempotencyKey: typeof key === 'string' ? key : null,
    });
    if (tool.onCall !== null) tool.onCall(call, () => answer(response), response);
    else if (tool.holds) waiting.add(response);
    else answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  tool.address = target;
  return tool;
}
