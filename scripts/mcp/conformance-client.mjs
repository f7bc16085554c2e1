// What the conformance suite starts as "the client": has a running pao import the suite's server and call each of its tools.
// PAO_URL and PAO_TOKEN say which pao; the last argument is the server's URL.
const server = process.argv.at(-1);
const { PAO_URL, PAO_TOKEN } = process.env;

async function send(method, path, body) {
  const response = await fetch(PAO_URL + path, {
    method,
    headers: { authorization: `Bearer ${PAO_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) console.error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Something that a schema allows, as far as the suite's schemas go. */
function sample({ type, properties = {} }) {
  if (type === 'number' || type === 'integer') return 2;
  if (type === 'string') return 'text';
  if (type === 'boolean') return true;
  if (type === 'array') return [];
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, sample(schema)]));
}

// A name of its own: each scenario is another server.
const name = `suite_${process.pid}`;
const reach = { name, transport: 'http', url: server, grants: [new URL(server).host] };
const { problems } = await send('POST', '/v1/tools/import', {
  document: { servers: [reach] },
});
for (const { message } of problems ?? []) console.error(message);
const { items } = await send('GET', `/v1/tools?prefix=${name}.&limit=100`);
for (const tool of items ?? [])
  await send('POST', `/v1/tools/${tool.address}/call`, {
    input: sample(tool.input_schema),
    timeout_ms: 10_000,
  });
