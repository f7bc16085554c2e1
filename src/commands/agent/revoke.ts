import { BaseCommand } from '../../cli/base-command.js';
import { confirm } from '../../cli/confirm.js';
import { Args, Flags } from '../../cli/flags.js';
import type { AgentObject, TokenObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { notFound } from '../../domain/errors.js';

/** Ends an agent with all its tokens, or one of its tokens. */
export default class AgentRevoke extends BaseCommand<typeof AgentRevoke> {
  static override summary = 'End an agent and all its tokens at once, or one token of it';
  static override examples = [
    '<%= config.bin %> agent revoke mailer',
    '<%= config.bin %> agent revoke mailer --token tok_019… --yes',
  ];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };
  static override flags = {
    token: Flags.string({ summary: 'Only this token: its id, or what it begins with', helpValue: 'ID' }),
    yes: Flags.boolean({ char: 'y', summary: 'Do not ask' }),
  };

  async run(): Promise<{ agent_id: string; token_id: string | null; revoked: true }> {
    const client = new PaoClient(this.connection());
    const options = { signal: this.signal };
    const agent = await client.findAgent(this.args.name, options);
    const token = this.flags.token === undefined ? null : findToken(agent, this.flags.token);
    const what = token
      ? `the token ${token.id} of ${agent.name}`
      : `the agent ${agent.name} and all its tokens`;
    await confirm(`Revoke ${what}?`, { yes: this.flags.yes, process: this.process });
    if (token) await client.revokeToken(agent.id, token.id, options);
    else await client.deleteAgent(agent.id, options);
    this.out.success(`Revoked ${what}`);
    return { agent_id: agent.id, token_id: token?.id ?? null, revoked: true };
  }
}

function findToken(agent: AgentObject, text: string): TokenObject {
  const tokens = agent.tokens ?? [];
  const exact = tokens.find(({ id }) => id === text);
  const alike = tokens.filter(({ prefix }) => prefix === text);
  const found = exact ?? (alike.length === 1 ? alike[0] : undefined);
  if (found) return found;
  throw notFound(`token of ${agent.name}`, text, [`pao agent show ${agent.name}`]);
}
