import { BaseCommand } from '../../cli/base-command.js';

/** Speaks MCP on stdin and stdout for the server that runs. */
export default class Mcp extends BaseCommand<typeof Mcp> {
  static override summary = 'Speak MCP on stdin and stdout, for clients that start a program';
  static override description =
    'A thin client of the running server: schedules live there and outlive the chat. pao mcp config prints what a client needs.';
  static override examples = ['<%= config.bin %> mcp', '<%= config.bin %> mcp config --client claude-code'];
  static override readonly drains = true;

  async run(): Promise<void> {
    const { relayMcp } = await import('../../client/mcp-relay.js');
    if (process.stdin.isTTY) {
      this.out.note('This is for MCP clients: one JSON-RPC message a line. Ctrl-D ends it.');
      this.out.hint('pao mcp config');
    }
    await relayMcp({
      input: process.stdin,
      // stdout is the protocol's, with or without --json.
      write: (line) => process.stdout.write(`${line}\n`),
      connection: () => this.connection(),
      note: (text) => this.out.failure(text),
      signal: this.signal,
    });
    this.beginStream();
  }
}
