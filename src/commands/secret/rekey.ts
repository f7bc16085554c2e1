import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { readTextInput } from '../../cli/json-input.js';
import { openLocalSecrets } from '../../cli/local-secrets.js';
import { recordSecretChange } from '../../cli/record-secret-change.js';
import { readSecretValue } from '../../cli/secret-input.js';
import { counted } from '../../domain/counted.js';
import { EXIT, PaoError } from '../../domain/errors.js';

/** Seals the stored secrets with a new key. */
export default class SecretRekey extends BaseCommand<typeof SecretRekey> {
  static override summary = 'Seal the stored secrets anew, with a new key or passphrase';
  static override description =
    'After somebody may have seen the key. The values themselves stay: whoever had the key may have them, so replace those too. A pao that runs goes on; with a new passphrase, restart it with that one.';
  static override examples = [
    '<%= config.bin %> secret rekey',
    '<%= config.bin %> secret rekey --passphrase',
    '<%= config.bin %> secret rekey --passphrase-file new-passphrase.txt',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    passphrase: Flags.boolean({
      summary: 'Lock them with a passphrase, typed unseen or piped in',
      exclusive: ['passphrase-file', 'key-file'],
    }),
    'passphrase-file': Flags.string({
      summary: 'Lock them with the passphrase in the first line of this file',
      helpValue: 'FILE',
      exclusive: ['key-file'],
    }),
    'key-file': Flags.boolean({ summary: 'Lock them with a key file, where a passphrase was' }),
  };

  async run(): Promise<{ secrets: number; locked_with: 'file' | 'passphrase'; audited: boolean }> {
    const store = await openLocalSecrets(this.dataDirectory(), this.process);
    const before = await store.lockedWith();
    if (before === null) {
      throw new PaoError('PAO_NOT_FOUND', 'There are no stored secrets.', {
        exitCode: EXIT.notFound,
        hints: ['pao secret set NAME'],
      });
    }
    const passphrase = await this.#passphrase(before);
    const secrets = await store.rekey(passphrase);
    const lockedWith = passphrase === null ? 'file' : 'passphrase';
    this.out.success(
      `Sealed ${counted(secrets, 'secret')} with a new ${lockedWith === 'file' ? 'key' : 'passphrase'}`,
    );
    if (lockedWith === 'passphrase')
      this.out.hint('Give it to the server: PAO_SECRETS_PASSPHRASE, or PAO_SECRETS_PASSPHRASE_FILE');
    const audited = await recordSecretChange({ change: 'rekeyed' }, () => this.connection(), {
      out: this.out,
      signal: this.signal,
    });
    return { secrets, locked_with: lockedWith, audited };
  }

  async #passphrase(before: 'file' | 'passphrase'): Promise<string | null> {
    const { passphrase, 'passphrase-file': file, 'key-file': keyFile } = this.flags;
    if (passphrase) return readSecretValue('New passphrase (not shown): ', this.process);
    if (file !== undefined) {
      const [line = ''] = (await readTextInput(file, this.process)).split(/\r?\n/);
      if (line !== '') return line;
      throw new PaoError('PAO_SECRET_VALUE', `The first line of ${file} is empty.`, { exitCode: EXIT.usage });
    }
    if (keyFile || before === 'file') return null;
    throw new PaoError('PAO_USAGE', 'They are locked with a passphrase: say what comes next.', {
      exitCode: EXIT.usage,
      hints: ['pao secret rekey --passphrase', 'pao secret rekey --key-file'],
    });
  }
}
