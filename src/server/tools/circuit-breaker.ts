import type { Observer } from '../../domain/observability/observer.js';
import { ToolError } from '../../domain/tool-error.js';

/** Failures in a row, with no success between, that cut a tool off. */
const FAILURES = 10;
/** How long it is left alone before one call is let through, milliseconds. */
const REST_MS = 30_000;
/** An open circuit is said again this often, milliseconds, so that a process that died does not hold it open for ever. */
const SAY_EVERY_MS = 20_000;

interface Circuit {
  failures: number;
  /** When it was cut off or last tried, monotonic milliseconds; null while it is closed. */
  openedAt: number | null;
  /** The one call that may find out whether it works again is under way. */
  probing: boolean;
  said?: NodeJS.Timeout;
}

/**
 * Cuts a tool off after repeated failure, so that a dead service is not stormed with retries and its callers need not
 * wait for a timeout each (reliability.md fault 21). After a rest one call tries it; when that works, all may.
 */
export class CircuitBreaker {
  readonly #circuits = new Map<string, Circuit>();

  constructor(
    private readonly monotonic: () => number,
    private readonly observer: Observer,
    private readonly limits = { failures: FAILURES, restMs: REST_MS },
  ) {}

  /** @throws ToolError `overloaded`, to be tried again after the rest, while the tool is cut off. */
  enter(address: string): void {
    const circuit = this.#circuits.get(address);
    if (circuit === undefined || circuit.openedAt === null) return;
    const left = circuit.openedAt + this.limits.restMs - this.monotonic();
    if (left <= 0 && !circuit.probing) {
      circuit.probing = true;
      return;
    }
    const retryAfterMs = Math.max(1000, Math.ceil(left));
    throw new ToolError(
      'overloaded',
      `${address} failed ${circuit.failures} times in a row and is left alone for ${Math.ceil(retryAfterMs / 1000)} s.`,
      { retryAfterMs, details: { circuit: 'open' } },
    );
  }

  /** Tells how a call that was let through ended. `neither`: it says nothing about the other side. */
  leave(address: string, verdict: 'worked' | 'failed' | 'neither'): void {
    const circuit = this.#circuits.get(address);
    if (verdict === 'failed') {
      this.#failed(address, circuit ?? { failures: 0, openedAt: null, probing: false });
      return;
    }
    if (circuit === undefined) return;
    circuit.probing = false;
    if (verdict === 'neither') return;
    clearInterval(circuit.said);
    this.#circuits.delete(address);
    if (circuit.openedAt !== null) this.#say(address, 0);
  }

  close(): void {
    for (const { said } of this.#circuits.values()) clearInterval(said);
    this.#circuits.clear();
  }

  #failed(address: string, circuit: Circuit): void {
    circuit.failures += 1;
    circuit.probing = false;
    this.#circuits.set(address, circuit);
    if (circuit.failures < this.limits.failures) return;
    if (circuit.openedAt === null) {
      circuit.said = setInterval(() => this.#say(address, 1), SAY_EVERY_MS).unref();
      this.#say(address, 1);
    }
    circuit.openedAt = this.monotonic();
  }

  #say(address: string, open: 0 | 1): void {
    this.observer.set('external_tool_circuit_open', { tool: address }, open, 3 * SAY_EVERY_MS);
  }
}
