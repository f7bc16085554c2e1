/**
 * Lets so many log lines a second through and counts the rest: a busy system must not be slowed down by what it says,
 * and a quiet one says everything.
 */
export class LineLimit {
  #second = -1;
  #lines = 0;
  #held = 0;

  constructor(
    private readonly monotonic: () => number,
    private readonly perSecond = 20,
  ) {}

  /** @returns whether a line may be written, and how many were held back in the second before. */
  take(): { pass: boolean; heldBack: number } {
    const second = Math.floor(this.monotonic() / 1000);
    let heldBack = 0;
    if (second !== this.#second) {
      heldBack = this.#held;
      this.#second = second;
      this.#lines = 0;
      this.#held = 0;
    }
    this.#lines += 1;
    const pass = this.#lines <= this.perSecond;
    if (!pass) this.#held += 1;
    return { pass, heldBack };
  }
}
