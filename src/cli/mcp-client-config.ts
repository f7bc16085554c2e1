import { shellWord } from '../domain/shell-word.js';

/** MCP clients whose configuration we can write. */
export const MCP_CLIENTS = ['claude-code', 'claude-desktop', 'cursor', 'vscode'] as const;
export type McpClientName = (typeof MCP_CLIENTS)[number];

/** What a person pastes where. */
export interface McpClientEntry {
  client: McpClientName;
  /** A command to type instead, where the client has one. */
  command: string | null;
  /** The file the entry belongs in, in the client's words. */
  file: string;
  entry: Record<string, unknown>;
}

/**
 * The entry for one client: it starts `pao mcp`, so no token stands in a file of another program.
 * @param program how this pao is started: the path of Node and of `run.cjs`.
 * @param agent the agent it speaks as.
 * @param home the data directory when it is not the one pao would find by itself; null otherwise.
 */
export function mcpClientEntry(
  client: McpClientName,
  program: readonly [string, ...string[]],
  agent: string,
  home: string | null,
): McpClientEntry {
  const [command, ...rest] = program;
  const args = [...rest, 'mcp', '--agent', agent];
  const env = home === null ? {} : { env: { PAO_HOME: home } };
  const server = { command, args, ...env };
  switch (client) {
    case 'claude-code':
      return {
        client,
        command: [
          'claude mcp add pao',
          ...(home === null ? [] : [`--env PAO_HOME=${shellWord(home)}`]),
          '--',
          ...[command, ...args].map(shellWord),
        ].join(' '),
        file: '.mcp.json in the project',
        entry: { mcpServers: { pao: server } },
      };
    case 'claude-desktop':
      return {
        client,
        command: null,
        file: 'claude_desktop_config.json (Settings > Developer > Edit Config)',
        entry: { mcpServers: { pao: server } },
      };
    case 'cursor':
      return { client, command: null, file: '~/.cursor/mcp.json', entry: { mcpServers: { pao: server } } };
    case 'vscode':
      return {
        client,
        command: null,
        file: '.vscode/mcp.json in the project',
        entry: { servers: { pao: { type: 'stdio', ...server } } },
      };
  }
}
