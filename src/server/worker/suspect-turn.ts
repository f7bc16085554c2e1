/** How long a suspect run waits the first time for the others of its worker to end, milliseconds; twice as long each time. */
const PATIENCE_MS = 250;
const MOST_PATIENCE_MS = 60_000;
/** For so long the worker that handed it back takes nothing: the others come first. */
const OTHERS_FIRST_MS = 50;

/**
 * The turn of a run that took a worker with it, which runs alone. Behind a call that hangs it would wait for as long as
 * the call does: after a while it goes back to the queue, where a worker that has nothing to do finds it. Where all are
 * busy the patience grows until it is longer than what they do, as nothing else is taken meanwhile.
 */
export class SuspectTurn {
  #patience = PATIENCE_MS;
  #othersFirst = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly options: {
      /** Gives the suspect back, if it has not begun. */
      handBack: () => void;
      /** Work may be taken again. */
      goOn: () => void;
    },
  ) {}

  /** Nothing may be taken for a moment. */
  get othersFirst(): boolean {
    return this.#othersFirst;
  }

  /** A suspect was leased, and others run. */
  wait(): void {
    this.end();
    this.#timer = setTimeout(() => {
      this.#patience = Math.min(MOST_PATIENCE_MS, this.#patience * 2);
      this.#othersFirst = true;
      this.options.handBack();
      this.#timer = setTimeout(() => {
        this.#othersFirst = false;
        this.options.goOn();
      }, OTHERS_FIRST_MS);
    }, this.#patience);
  }

  /** It has begun. */
  begin(): void {
    this.end();
    this.#patience = PATIENCE_MS;
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#othersFirst = false;
  }
}
