import { join } from 'node:path';
import { checkAgentName } from '../../cli/agent-sign-in.js';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { dataDirectory } from '../../cli/home.js';
import { jsonText } from '../../cli/json-text.js';
import {
  MCP_CLIENTS,
  type McpClientEntry,
  type McpClientName,
  mcpClientEntry,
} from '../../cli/mcp-client-config.js';

/** Prints what an MCP client needs to reach this pao. */
export default class McpConfig extends BaseCommand<typeof McpConfig> {
  static override summary = 'Print the entry that connects an MCP client to this pao';
  static override description =
    'The client starts pao mcp, which finds the running server by itself and speaks as an agent of its own: it may work with its own tasks and call tools, and decides nothing for you. No token stands in the client.';
  static override examples = [
    '<%= config.bin %> mcp config --client claude-code',
    '<%= config.bin %> mcp config --client cursor --json',
    '<%= config.bin %> mcp config --client claude-code --agent work',
  ];
  static override baseFlags = LOCAL_FLAGS;
  static override flags = {
    client: Flags.string({ summary: 'The client', options: [...MCP_CLIENTS], default: 'claude-code' }),
    agent: Flags.string({
      summary: 'The agent it speaks as; named like the client when left out',
      helpValue: 'NAME',
    }),
  };

  async run(): Promise<McpClientEntry> {
    const agent = this.flags.agent ?? this.flags.client;
    checkAgentName(agent);
    // The client starts it in a folder of its own: what is found from here alone is to be named.
    const home = this.dataDirectory();
    const isFound = !this.process.env['PAO_HOME'] && home === dataDirectory({ ...this.process, cwd: '/' });
    const entry = mcpClientEntry(
      this.flags.client as McpClientName,
      [process.execPath, join(this.packageRoot, 'bin', 'run.cjs')],
      agent,
      isFound ? null : home,
    );
    if (entry.command !== null) {
      this.out.note('Type this:');
      this.out.line(entry.command);
      this.out.note(`\nor put this into ${entry.file}:`);
      this.out.note(jsonText(entry.entry));
    } else {
      this.out.note(`Put this into ${entry.file}:`);
      this.out.line(jsonText(entry.entry));
    }
    return entry;
  }
}
