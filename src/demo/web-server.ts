import { type DemoReply, type LoopbackServer, startLoopbackServer } from './loopback-server.js';

const PAGE = (price: string) => `<!doctype html>
<title>Kettle</title>
<h1>Kettle, 1.7 l</h1>
<p class="price">${price} EUR</p>
<p class="stock">In stock</p>
`;

/**
 * Starts the web demo server: a page to watch (`GET /page`; `POST /page` with a price as its body changes it), and the
 * runs of a pipeline in the shape of the GitHub API (`GET /repos/{owner}/{repo}/actions/runs`; `POST /ci` with `success`
 * or `failure` sets how the last one ended).
 */
export function startWebServer(options: { port: number }): Promise<LoopbackServer<{ kind: never }>> {
  let price = '49.90';
  let conclusion = 'failure';
  return startLoopbackServer<{ kind: never }>({
    name: 'web',
    port: options.port,
    answer: ({ method, path, body }) => {
      if (path === '/page') {
        if (method === 'POST') price = body.replace(/[^\d.]/g, '').slice(0, 12) || price;
        return { status: 200, body: PAGE(price), headers: { 'content-type': 'text/html; charset=utf-8' } };
      }
      if (path === '/ci' && method === 'POST') {
        conclusion = body.trim() === 'success' ? 'success' : 'failure';
        return { status: 200, body: { conclusion } };
      }
      if (/^\/repos\/[\w.-]+\/[\w.-]+\/actions\/runs$/.test(path)) return ciRuns(conclusion);
      return { status: 404, body: { message: 'Not Found' } };
    },
  });
}

const ciRuns = (conclusion: string): DemoReply => ({
  status: 200,
  body: {
    total_count: 1,
    workflow_runs: [
      {
        id: 417,
        name: 'test',
        head_branch: 'main',
        status: 'completed',
        conclusion,
        html_url: 'https://github.com/demo/app/actions/runs/417',
        display_title: 'Fix the kettle',
      },
    ],
  },
});
