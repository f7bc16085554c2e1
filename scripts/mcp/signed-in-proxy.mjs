// Stands before a server for a client that can not be given a token: adds it, and passes on everything else as it comes.
import { createServer, request } from 'node:http';

/** @returns its URL, and what ends it. */
export async function startSignedInProxy(target, token) {
  const { hostname, port, host } = new URL(target);
  const proxy = createServer((incoming, response) => {
    const own = `127.0.0.1:${proxy.address().port}`;
    // Its own address stands for the server's; what a client makes up stays what it is.
    const translated = Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [
        name,
        name === 'host' || name === 'origin' ? String(value).replace(own, host) : value,
      ]),
    );
    const outgoing = request(
      {
        hostname,
        port,
        path: incoming.url,
        method: incoming.method,
        setHost: false,
        headers: { ...translated, authorization: `Bearer ${token}` },
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    close() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
