import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { openLocalSecrets } from '../../cli/local-secrets.js';
import { recordSecretChange } from '../../cli/record-secret-change.js';
import { readSecretValue } from '../../cli/secret-input.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { requireSecretName } from '../../domain/secret-name.js';

const EASY_TO_GUESS = 8;

/** Stores a secret in the data directory. */
export default class SecretSet extends BaseCommand<typeof SecretSet> {
  static override summary = 'Store a secret, encrypted; its value is typed unseen or piped in';
  static override description =
    'Steps write ${secrets.NAME}; an agent needs the scope secrets:use:NAME for it. A running pao uses the new value with the next call. --tool and --agent limit who gets it; left out, what was said before stays.';
  static override examples = [
    '<%= config.bin %> secret set TELEGRAM_TOKEN',
    'pass show telegram | <%= config.bin %> secret set TELEGRAM_TOKEN --tool "telegram.*"',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  // A value among the arguments is refused in words that do not repeat it.
  static override strict = false;
  static override args = { name: Args.string({ description: 'Its name', required: true }) };
  static override flags = {
    tool: Flags.string({
      summary: 'Only this tool gets it, or these: telegram.*; may be repeated',
      helpValue: 'ADDRESS',
      multiple: true,
      multipleNonGreedy: true,
    }),
    agent: Flags.string({
      summary: 'Only runs of this agent get it; may be repeated',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
    }),
  };

  async run(): Promise<{ name: string; outcome: 'created' | 'replaced'; audited: boolean }> {
    const { name } = this.args;
    requireSecretName(name);
    if ((await this.#words()).length > 1) {
      throw new PaoError('PAO_SECRET_VALUE', 'A value does not belong on the command line.', {
        exitCode: EXIT.usage,
        hints: [
          `pao secret set ${name} asks for it, or takes what is piped in`,
          'Your shell has kept that line, and others could see it: use another value',
        ],
      });
    }
    const store = await openLocalSecrets(this.dataDirectory(), this.process);
    const value = await readSecretValue(`Value of ${name} (not shown): `, this.process);
    const { tool: tools, agent: agents } = this.flags;
    const outcome = await store.set(name, value, { tools, agents }, Date.now());
    this.out.success(`${outcome === 'created' ? 'Stored' : 'Replaced'} the secret ${name}`);
    if (value.length < EASY_TO_GUESS) this.out.warn('It is short: who tries, guesses it');
    if (this.process.env[`PAO_SECRET_${name}`])
      this.out.warn(`PAO_SECRET_${name} is set here: where the server has it too, that one is used`);
    const change = { change: 'set' as const, name, ...(tools && { tools }), ...(agents && { agents }) };
    const audited = await recordSecretChange(change, () => this.connection(), {
      out: this.out,
      signal: this.signal,
    });
    return { name, outcome, audited };
  }

  /** What stands on the command line besides flags. */
  async #words(): Promise<unknown[]> {
    const { flags, args } = SecretSet;
    return (await this.parse({ flags, args, baseFlags: LOCAL_FLAGS, strict: false })).argv;
  }
}
