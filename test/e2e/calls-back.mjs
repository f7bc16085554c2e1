// An MCP server that calls back into pao at PAO, in the name of the run it works for.
import { writeFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

async function ask(method, path, token, body) {
  const response = await fetch(process.env.PAO + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
const tokenOf = (context) => context.mcpReq._meta?.['pao/run-token'] ?? null;

serveStdio(() => {
  const server = new McpServer({ name: 'back', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.registerTool('make', { inputSchema: z.looseObject({ name: z.string() }) }, async (task, context) => {
    const answer = await ask('POST', '/v1/tasks', tokenOf(context), task);
    return answer.id === undefined ? { ...text(answer), isError: true } : text(answer);
  });
  // Tells the token to whom it should not: into its answer.
  server.registerTool('tell', { inputSchema: z.object({}) }, async (_input, context) => {
    const token = tokenOf(context);
    if (process.env.TOKEN_FILE) writeFileSync(process.env.TOKEN_FILE, String(token));
    return text({
      token,
      from: token?.slice(0, 6) ?? null,
      me: token && (await ask('GET', '/v1/agents/me', token)),
    });
  });
  return server;
});
