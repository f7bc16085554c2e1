import { BaseCommand } from '../../cli/base-command.js';
import { listSecrets } from '../../cli/list-secrets.js';
import { fromNow } from '../../cli/render/task-time.js';
import type { SecretObject } from '../../client/api-objects.js';

/** Lists the names of secrets. */
export default class SecretList extends BaseCommand<typeof SecretList> {
  static override summary = 'List the secrets: names, where they come from, who may use them; never values';
  static override description =
    'Asks the server, and where none runs looks at the data directory and the environment of this shell.';
  static override examples = ['<%= config.bin %> secret list', '<%= config.bin %> secret list --json'];

  async run(): Promise<{ items: SecretObject[] }> {
    const items = await listSecrets(() => this.connection(), this.dataDirectory(), this.process);
    this.out.table(
      items,
      [
        { header: 'NAME', value: ({ name }) => name },
        { header: 'SOURCE', value: ({ source }) => source },
        { header: 'TOOLS', value: ({ tools }) => tools?.join(' ') ?? 'all', shrink: true },
        {
          header: 'AGENTS',
          value: ({ agents, granted_to: granted }) => (agents ?? granted)?.join(' ') ?? 'all',
          shrink: true,
        },
        { header: 'LAST USED', value: lastUse },
      ],
      'There are no secrets: pao secret set NAME',
    );
    return { items };
  }
}

function lastUse({ last_used_at: at, last_used_by: by }: SecretObject): string {
  if (at === undefined || at === null) return 'never';
  return [fromNow(at, Date.now()), by?.tool && `by ${by.tool}`].filter(Boolean).join(' ');
}
