import { createHash } from 'node:crypto';

export interface AuditInput {
  at: number;
  /** `agent:<id>`, `system`. */
  actor: string;
  /** `task.created`, `token.revoked`, `auth.failed`, … */
  action: string;
  target: string | null;
  details: Record<string, unknown>;
}

export interface AuditEntry extends AuditInput {
  sequence: number;
  /** SHA-256 over the previous entry's hash and this entry's canonical JSON, hex. */
  hash: string;
}

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
  /** Sequence of the first record that does not fit the one before it; null when all fit. */
  brokenAt: number | null;
  /** That record. */
  broken: AuditEntry | null;
  /** Hash of the newest record; {@link AUDIT_GENESIS} when there is none. */
  head: string;
}

/** Pages of the audit log, newest first. */
export interface AuditPages {
  listAudit(query: {
    limit: number;
    cursor?: string | undefined;
  }): Promise<{ items: AuditEntry[]; nextCursor: string | null }>;
}

/**
 * Walks the whole chain, newest first, and says whether every record fits the one before it.
 * @param look is shown each record.
 */
export async function verifyAudit(
  log: AuditPages,
  look: (entry: AuditEntry) => void = () => {},
): Promise<AuditVerdict> {
  let entries = 0;
  let later: AuditEntry | null = null;
  let broken: AuditEntry | null = null;
  let head = AUDIT_GENESIS;
  let cursor: string | undefined;
  do {
    const page = await log.listAudit({ limit: 500, cursor });
    for (const entry of page.items) {
      entries += 1;
      look(entry);
      if (later === null) head = entry.hash;
      else if (!follows(entry.hash, entry.sequence, later)) broken = later;
      later = entry;
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  if (later !== null && !follows(AUDIT_GENESIS, 0, later)) broken = later;
  return { ok: broken === null, entries, brokenAt: broken?.sequence ?? null, broken, head };
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
