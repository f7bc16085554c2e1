import type { PaoClient } from '../client/pao-client.js';
import { AUDIT_GENESIS, verifyAudit } from '../domain/audit-chain.js';
import { EXIT, PaoError } from '../domain/errors.js';

/** The newest record that an earlier verification saw: its number, and the beginning of its hash. */
export interface KnownHead {
  sequence: number;
  hash: string;
}

/** What `pao audit verify` says. */
export interface AuditProof {
  status: 'whole' | 'broken' | 'cut';
  /** Records looked at. */
  entries: number;
  /** The newest record, as `--known` takes it. */
  head: string;
  /** The first record that does not fit the one before it. */
  broken: { sequence: number; at: string; actor: string; action: string; target: string | null } | null;
  /** Whether the record of `--known` is there as it was; null when none was given. */
  known: 'found' | 'gone' | 'changed' | null;
}

/** @throws PaoError exit 2 when it is not what a verification prints. */
export function parseHead(text: string): KnownHead {
  const match = /^(\d{1,15}):([0-9a-f]{8,64})$/.exec(text);
  if (match !== null) return { sequence: Number(match[1]), hash: match[2] as string };
  throw new PaoError('PAO_USAGE', `"${text.slice(0, 80)}" is not what a verification prints.`, {
    exitCode: EXIT.usage,
    hints: ['pao audit verify --known 812:9f86d081884c7d65'],
  });
}

/** Reads the whole audit log and computes its chain anew; the server is not asked whether it is right. */
export async function proveAudit(
  client: PaoClient,
  known: KnownHead | null,
  signal: AbortSignal,
): Promise<AuditProof> {
  let seen: AuditProof['known'] = known === null ? null : 'gone';
  let newest = 0;
  const log = {
    async listAudit({ limit, cursor }: { limit: number; cursor?: string | undefined }) {
      const page = await client.listAudit({ limit, cursor, signal });
      const items = page.items.map(({ actor_name: _name, ...entry }) => ({
        ...entry,
        at: Date.parse(entry.at),
      }));
      return { items, nextCursor: page.next_cursor };
    },
  };
  const { entries, broken, head } = await verifyAudit(log, ({ sequence, hash }) => {
    newest = Math.max(newest, sequence);
    if (sequence === known?.sequence) seen = hash.startsWith(known.hash) ? 'found' : 'changed';
  });
  return {
    status: broken !== null ? 'broken' : seen === 'gone' || seen === 'changed' ? 'cut' : 'whole',
    entries,
    head: `${newest}:${(entries === 0 ? AUDIT_GENESIS : head).slice(0, 16)}`,
    broken:
      broken === null
        ? null
        : {
            sequence: broken.sequence,
            at: new Date(broken.at).toISOString(),
            actor: broken.actor,
            action: broken.action,
            target: broken.target,
          },
    known: seen,
  };
}

/** What is wrong with a log, for a person. */
export function brokenChainWords({ broken, known, head }: AuditProof): { what: string; why: string } {
  if (broken !== null) {
    const { sequence, action, actor, at, target } = broken;
    const of = target === null ? '' : ` ${target}`;
    return {
      what: `Record ${sequence} does not fit the one before it: ${action}${of} by ${actor}, ${at}.`,
      why: 'It, or what stood before it, was changed or taken out past pao. The records before it are as they were written.',
    };
  }
  return {
    what: `The record that was the newest is ${known === 'gone' ? 'not there' : 'another one now'}; the newest today is ${head}.`,
    why: 'The end of the log was cut off or written anew past pao, or an older backup was restored.',
  };
}
