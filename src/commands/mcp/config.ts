import { join } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
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
    'The client starts pao mcp, which finds the running server and its token by itself: no token in the client.';
  static override examples = [
    '<%= config.bin %> mcp config --client claude-code',
    '<%= config.bin %> mcp config --client cursor --json',
  ];
  static override baseFlags = LOCAL_FLAGS;
  static override flags = {
    client: Flags.string({ summary: 'The client', options: [...MCP_CLIENTS], default: 'claude-code' }),
  };

  async run(): Promise<McpClientEntry> {
    const home = this.process.env['PAO_HOME'] === undefined ? null : this.dataDirectory();
    const entry = mcpClientEntry(
      this.flags.client as McpClientName,
      [process.execPath, join(this.packageRoot, 'bin', 'run.cjs')],
      home,
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
