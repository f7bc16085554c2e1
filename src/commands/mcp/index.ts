import { BaseCommand } from '../../cli/base-command.js';
import type { Connection } from '../../cli/connection.js';
import { Flags } from '../../cli/flags.js';

/** Speaks MCP on stdin and stdout for the server that runs. */
export default class Mcp extends BaseCommand<typeof Mcp> {
  static override summary = 'Speak MCP on stdin and stdout, for clients that start a program';
  static override description =
    'A thin client of the running server: schedules live there and outlive the chat. pao mcp config prints what a client needs.';
  static override examples = [
    '<%= config.bin %> mcp --agent claude-code',
    '<%= config.bin %> mcp config --client claude-code',
  ];
  static override flags = {
    agent: Flags.string({
      summary: 'Speak as this agent, made when it is not there; as the administrator when left out',
      helpValue: 'NAME',
    }),
  };
  static override readonly drains = true;

  async run(): Promise<void> {
    const { relayMcp } = await import('../../client/mcp-relay.js');
    const connection = await this.#speaker();
    if (process.stdin.isTTY) {
      this.out.note('This is for MCP clients: one JSON-RPC message a line. Ctrl-D ends it.');
      this.out.hint('pao mcp config');
    }
    await relayMcp({
      input: process.stdin,
      // stdout is the protocol's, with or without --json.
      write: (line) => process.stdout.write(`${line}\n`),
      connection,
      note: (text) => this.out.failure(text),
      signal: this.signal,
    });
    this.beginStream();
  }

  /** Whose token the relay speaks with. @throws PaoError when two are named. */
  async #speaker(): Promise<(refused?: string | null) => Connection | Promise<Connection>> {
    const { agent } = this.flags;
    const given = this.flags['token-file'] !== undefined ? '--token-file' : 'PAO_TOKEN';
    const hasToken = given === '--token-file' || Boolean(this.process.env['PAO_TOKEN']);
    if (agent === undefined) {
      if (!hasToken) {
        this.out.note(
          'This speaks as the administrator. With --agent NAME the client is an agent of its own.',
        );
      }
      return () => this.connection();
    }
    const { agentSpeaker } = await import('../../cli/agent-sign-in.js');
    return agentSpeaker({
      home: this.dataDirectory(),
      agent,
      token: hasToken ? given : null,
      admin: () => this.connection(),
      made: (name) => this.out.note(`Made the agent ${name}: pao agent show ${name}`),
      signal: this.signal,
    });
  }
}
