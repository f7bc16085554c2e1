import { LAST_SECOND } from './civil.js';
import type { Segment, TimeZone } from './time-zone.js';
import type { FoldPolicy, GapPolicy } from './wall-time.js';

/** Local times without a zone, as seconds since 1970 on a clock that never changes. */
export interface WallPattern {
  /** The first one at or after `from`; Infinity when there is none. */
  nextWall(from: number): number;
}

/** Instants in epoch seconds, strictly increasing. */
export interface InstantSource {
  /** The first one strictly after `after`; Infinity when there is none. */
  next(after: number): number;
}

// Longer than any offset plus any change of offset: local times further apart than this can not change places.
const REACH = 60 * 3600;

/**
 * Puts local times on the time line of a zone under a gap and fold policy.
 *
 * The time line is walked in segments of one offset. Within a segment local times and instants run in step, so the
 * result is in order and without doubles by construction; what a gap left out and what a fold repeats is settled at
 * the seam between two segments.
 */
export class ZonedWalls implements InstantSource {
  constructor(
    readonly pattern: WallPattern,
    readonly zone: TimeZone,
    readonly gap: GapPolicy,
    readonly fold: FoldPolicy,
  ) {}

  next(after: number): number {
    const from = after + 1;
    let segment = this.zone.segmentAt(from);
    while (segment.start <= LAST_SECOND) {
      const low = this.#lowestWall(segment, from);
      const wall = this.pattern.nextWall(low);
      let best = wall < this.#endWall(segment) ? wall - segment.offset : Infinity;
      if (segment.before < segment.offset && this.gap !== 'skip') {
        best = Math.min(best, this.#leftOut(segment, from));
      }
      if (best !== Infinity) return best <= LAST_SECOND ? best : Infinity;
      if (segment.end === Infinity) return Infinity;
      if (segment.end <= from + REACH) {
        // A fold this near may repeat local times before `low`: no segment may be left out.
        segment = this.zone.segmentAt(segment.end);
      } else if (wall === Infinity) {
        return Infinity;
      } else {
        segment = this.zone.segmentAt(Math.max(segment.end, wall - REACH));
      }
    }
    return Infinity;
  }

  #lowestWall(segment: Segment, from: number): number {
    const low = Math.max(from, segment.start) + segment.offset;
    return this.fold === 'first' && segment.before > segment.offset
      ? Math.max(low, segment.start + segment.before)
      : low;
  }

  #endWall(segment: Segment): number {
    return this.fold === 'second' && segment.after < segment.offset
      ? segment.end + segment.after
      : segment.end + segment.offset;
  }

  /** The first instant, not before `from`, that the gap policy gives to a local time left out at the segment's start. */
  #leftOut(segment: Segment, from: number): number {
    const gapStart = segment.start + segment.before;
    const gapEnd = segment.start + segment.offset;
    if (this.gap === 'next') {
      return from <= segment.start && this.pattern.nextWall(gapStart) < gapEnd ? segment.start : Infinity;
    }
    const low = Math.max(gapStart, from + segment.before);
    if (low >= gapEnd) return Infinity;
    const wall = this.pattern.nextWall(low);
    return wall < gapEnd ? wall - segment.before : Infinity;
  }
}
