import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { type AuditProof, brokenChainWords, parseHead, proveAudit } from '../../cli/verify-audit.js';
import { PaoClient } from '../../client/pao-client.js';
import { counted } from '../../domain/counted.js';
import { EXIT } from '../../domain/errors.js';

/** Proves that nobody changed the audit log. */
export default class AuditVerify extends BaseCommand<typeof AuditVerify> {
  static override summary = 'Prove that no record of the audit log was changed or taken out';
  static override description =
    'Every record carries a hash over itself and the one before; they are computed anew here, not on the server. When the newest records are cut off, a whole chain is left: --known with what an earlier verification printed shows that too.';
  static override examples = [
    '<%= config.bin %> audit verify',
    '<%= config.bin %> audit verify --known 812:9f86d081884c7d65',
  ];
  static override flags = {
    known: Flags.string({ summary: 'The newest record of an earlier verification', helpValue: 'NO:HASH' }),
  };

  async run(): Promise<AuditProof> {
    const known = this.flags.known === undefined ? null : parseHead(this.flags.known);
    const proof = await proveAudit(new PaoClient(this.connection()), known, this.signal);
    if (proof.status !== 'whole') {
      const { what, why } = brokenChainWords(proof);
      this.out.failure(what);
      this.out.note(why);
      if (proof.broken !== null) this.out.hint(`pao db backup   keeps what is there as evidence`);
      process.exitCode = EXIT.failed;
      return proof;
    }
    this.out.success(`${counted(proof.entries, 'record')}, and each fits the one before it`);
    if (proof.entries > 0)
      this.out.hint(`pao audit verify --known ${proof.head}   shows later that none was cut off`);
    return proof;
  }
}
