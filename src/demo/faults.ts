/** What a demo server does wrong on purpose with one request, so that failures can be tested for real. */
export type HttpFault =
  /** Never answers; the request ends when the client gives up. */
  | { kind: 'hang' }
  /** Closes the connection before anything is done. */
  | { kind: 'drop' }
  /** Does the work, then closes the connection instead of answering. */
  | { kind: 'accept_then_drop' }
  /** Does the work and never answers. */
  | { kind: 'accept_then_hang' }
  /** Answers this instead of doing the work; an object as body is sent as JSON. */
  | { kind: 'respond'; status: number; headers?: Record<string, string>; body?: unknown };

/** The faults that wait for the next requests: each is used up in the order given, then `always` applies. */
export class FaultQueue<Fault> {
  #queue: Fault[] = [];
  #always: Fault | null = null;

  /** Adds a fault for the next `times` requests. */
  next(fault: Fault, times = 1): void {
    for (let index = 0; index < times; index++) this.#queue.push(fault);
  }

  /** Sets the fault of every request that has none of its own. */
  always(fault: Fault): void {
    this.#always = fault;
  }

  /** Back to a healthy server. */
  clear(): void {
    this.#queue = [];
    this.#always = null;
  }

  /** Takes the fault of the request that is served now; null for a healthy answer. */
  take(): Fault | null {
    return this.#queue.shift() ?? this.#always;
  }
}
