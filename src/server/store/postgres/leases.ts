/**
 * Which worker each leased run of this process was leased for. After a crash of the database a lease that was not yet on
 * its disk is undone, and the next one has the same number again: it is told from the lost one by its owner.
 */
export class Leases {
  readonly #owners = new Map<string, string>();

  add(runId: string, workerId: string): void {
    this.#owners.set(runId, workerId);
  }

  /** null when it was leased elsewhere. */
  ownerOf(runId: string): string | null {
    return this.#owners.get(runId) ?? null;
  }

  end(runIds: readonly string[]): void {
    for (const id of runIds) this.#owners.delete(id);
  }

  /** Runs that a worker of this process knows it has. */
  of(workerId: string): string[] {
    return [...this.#owners].filter(([, owner]) => owner === workerId).map(([id]) => id);
  }
}
