/** Chance that can be repeated: mulberry32. */
export interface Dice {
  readonly seed: number;
  /** From `low` up to but not `high`. */
  between(low: number, high: number): number;
  pick<T>(list: readonly T[]): T;
  chance(share: number): boolean;
}

/** @param name of the test, so that each prints a seed of its own. `PAO_CHAOS_SEED` gives the seed of an earlier run. */
export function rollDice(name: string): Dice {
  const given = process.env['PAO_CHAOS_SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  process.stdout.write(`${name}: PAO_CHAOS_SEED=${seed}\n`);
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    between: (low, high) => low + Math.floor(next() * (high - low)),
    pick: (list) => list[Math.floor(next() * list.length)] as (typeof list)[number],
    chance: (share) => next() < share,
  };
}

/** How often something is done: less in CI, much more with `PAO_CHAOS=long`. */
export const rounds = (inCi: number, long: number): number =>
  process.env['PAO_CHAOS'] === 'long' ? long : inCi;
