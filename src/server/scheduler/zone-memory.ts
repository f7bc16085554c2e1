import { zoneTransitions, localParts } from '../../domain/recurrence/index.js';
import type { Store } from '../store/store.js';

const DAY = 86_400_000;
/** How far a note reaches, from two days before it is made; it is made again when less than half is left. */
const BACK = 2 * DAY;
const AHEAD = 400 * DAY;
const keyOf = (zone: string): string => `zone_offsets:${zone}`;

/** What a zone's clock was, by one version of the zone database: changes of its offset (local minus UTC, seconds). */
interface ZoneNote {
  version: string;
  /** Epoch milliseconds. */
  from: number;
  until: number;
  /** In force at `from`. */
  offset: number;
  /** Epoch milliseconds and the offset from then on. */
  changes: [at: number, offset: number][];
}

/**
 * Remembers in the store what the local times of occurrences were when they got their rows. Another zone database can
 * not tell any more, and without it one whose instant moved later would look like one that is still to come.
 */
export class ZoneMemory {
  /** Zones noted by this process, and until when that is enough. */
  readonly #noted = new Map<string, number>();
  readonly #open = new Set<string>();

  constructor(
    private readonly store: Pick<Store, 'setMeta'>,
    private readonly version: string,
  ) {}

  /** An occurrence by the clock of this zone gets its row at `now`. */
  used(zone: string, now: number): void {
    if ((this.#noted.get(zone) ?? 0) <= now) this.#open.add(zone);
  }

  /** Writes down the zones that are new. */
  async write(now: number): Promise<void> {
    for (const zone of this.#open) {
      const from = now - BACK;
      const until = now + AHEAD;
      const note: ZoneNote = {
        version: this.version,
        from,
        until,
        offset: localParts(zone, from).offset,
        changes: zoneTransitions(zone, from, until).map(({ at, after }) => [at * 1000, after]),
      };
      await this.store.setMeta(keyOf(zone), JSON.stringify(note));
      this.#noted.set(zone, now + AHEAD / 2);
      this.#open.delete(zone);
    }
  }
}

/** The offset (seconds) a zone had at an instant by a version of the zone database; null when nothing was noted. */
export async function rememberedOffset(
  store: Pick<Store, 'getMeta'>,
  zone: string,
  at: number,
  version: string,
): Promise<number | null> {
  const text = await store.getMeta(keyOf(zone));
  if (text === null) return null;
  const note = JSON.parse(text) as ZoneNote;
  if (note.version !== version || at < note.from || at >= note.until) return null;
  return note.changes.findLast(([from]) => from <= at)?.[1] ?? note.offset;
}
