import { createHash } from 'node:crypto';
import type { AuditEntry, AuditInput, Store } from './store.js';

/** What the first record of a chain is hashed with. */
export const AUDIT_GENESIS = '0'.repeat(64);

/**
 * The hash of one audit record: SHA-256 over the hash before it and the record's canonical JSON (keys sorted).
 * @returns 64 hex digits.
 */
export function hashAudit(previousHash: string, sequence: number, entry: AuditInput): string {
  const { at, actor, action, target, details } = entry;
  return createHash('sha256')
    .update(previousHash)
    .update(canonicalJson({ sequence, at, actor, action, target, details }))
    .digest('hex');
}

export interface AuditVerdict {
  ok: boolean;
  /** Records looked at. */
  entries: number;
  /** Sequence of the newest record that does not fit the one before it; null when all fit. */
  brokenAt: number | null;
  /** Hash of the newest record; {@link AUDIT_GENESIS} when there is none. */
  head: string;
}

/** Walks the whole chain, newest first, and says whether every record fits the one before it. */
export async function verifyAudit(store: Pick<Store, 'listAudit'>): Promise<AuditVerdict> {
  let entries = 0;
  let later: AuditEntry | null = null;
  let head = AUDIT_GENESIS;
  let cursor: string | undefined;
  do {
    const page = await store.listAudit({ limit: 500, cursor });
    for (const entry of page.items) {
      entries += 1;
      if (later === null) head = entry.hash;
      else if (!follows(entry.hash, entry.sequence, later))
        return { ok: false, entries, brokenAt: later.sequence, head };
      later = entry;
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  if (later !== null && !follows(AUDIT_GENESIS, 0, later))
    return { ok: false, entries, brokenAt: later.sequence, head };
  return { ok: true, entries, brokenAt: null, head };
}

function follows(previousHash: string, previousSequence: number, entry: AuditEntry): boolean {
  return (
    entry.sequence === previousSequence + 1 && entry.hash === hashAudit(previousHash, entry.sequence, entry)
  );
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}
