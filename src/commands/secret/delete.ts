import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { noSuchSecret, openLocalSecrets } from '../../cli/local-secrets.js';
import { recordSecretChange } from '../../cli/record-secret-change.js';
import { type SecretUsers, usersOfSecret } from '../../cli/secret-users.js';

/** Takes a secret out of the encrypted store. */
export default class SecretDelete extends BaseCommand<typeof SecretDelete> {
  static override summary = 'Delete a stored secret';
  static override description =
    'Steps that need it fail from the next call on. Backups of the data directory still have it, sealed.';
  static override examples = ['<%= config.bin %> secret delete TELEGRAM_TOKEN'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override args = { name: Args.string({ description: 'Its name', required: true }) };

  async run(): Promise<{ name: string; deleted: true; audited: boolean; used_by: SecretUsers | null }> {
    const { name } = this.args;
    const store = await openLocalSecrets(this.dataDirectory(), this.process);
    if (!(await store.delete(name))) throw await noSuchSecret(store, name);
    this.out.success(`Deleted the secret ${name}`);
    const audited = await recordSecretChange({ change: 'deleted', name }, () => this.connection(), {
      out: this.out,
      signal: this.signal,
    });
    const users = await usersOfSecret(name, () => this.connection(), this.signal);
    const words = [
      ...(users?.tools ?? []).map((tool) => `tool ${tool}`),
      ...(users?.tasks ?? []).map((task) => `task ${task}`),
    ];
    if (words.length > 0) {
      this.out.warn(`It is still named by ${words.join(', ')}: their next call fails`);
      this.out.hint(`pao secret set ${name}   puts it back`);
    }
    return { name, deleted: true, audited, used_by: users };
  }
}
