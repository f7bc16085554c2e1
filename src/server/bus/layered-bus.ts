import type { Bus, BusMessages, BusTopic, LifecycleEntry } from './bus.js';

/** What concerns the processes of one machine alone: their registry of metrics and their test clock. */
const NEAR_TOPICS: readonly BusTopic[] = ['metrics', 'clock'];

/**
 * Two buses as one: the near one joins the processes of this machine and always works, the far one reaches the others.
 * A message may arrive over both; wake-ups do no harm when they come twice.
 */
export class LayeredBus implements Bus {
  readonly backend: Bus['backend'];

  constructor(
    private readonly near: Bus,
    private readonly far: Bus,
  ) {
    this.backend = far.backend;
  }

  isUp(): boolean {
    return this.far.isUp?.() ?? true;
  }

  publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    this.near.publish(topic, message);
    if (!NEAR_TOPICS.includes(topic)) this.far.publish(topic, message);
  }

  subscribe<T extends BusTopic>(topic: T, handler: (message: BusMessages[T]) => void): () => void {
    const ends = [this.near.subscribe(topic, handler)];
    if (!NEAR_TOPICS.includes(topic)) ends.push(this.far.subscribe(topic, handler));
    return () => {
      for (const end of ends) end();
    };
  }

  get record(): ((entries: readonly LifecycleEntry[]) => void) | undefined {
    return this.far.record?.bind(this.far);
  }

  async close(): Promise<void> {
    await this.far.close();
    await this.near.close();
  }
}
