import type { ChildProcess } from 'node:child_process';
import type { Bus, BusMessages, BusTopic } from './bus.js';
import { MemoryBus } from './memory-bus.js';

/** A bus message as it travels between the supervisor and its children. */
export interface IpcEnvelope {
  bus: BusTopic;
  message: BusMessages[BusTopic];
}

const isEnvelope = (value: unknown): value is IpcEnvelope =>
  typeof value === 'object' && value !== null && 'bus' in value && 'message' in value;

const isSubscription = (value: unknown): value is IpcSubscription =>
  typeof value === 'object' && value !== null && 'bus_subscribe' in value;

/** Which topics a child wants to hear of. */
interface IpcSubscription {
  bus_subscribe: BusTopic;
}

/** A child's end of the bus: everything goes to the supervisor's hub and comes back from it. */
export class IpcBus extends MemoryBus {
  override readonly backend = 'ipc' as const;
  readonly #onMessage = (value: unknown) => {
    if (isEnvelope(value)) this.deliver(value.bus, value.message as never);
  };

  constructor(private readonly channel: NodeJS.Process = process) {
    super();
    channel.on('message', this.#onMessage);
  }

  override subscribe<T extends BusTopic>(topic: T, handler: (message: BusMessages[T]) => void): () => void {
    this.#send({ bus_subscribe: topic } satisfies IpcSubscription);
    return super.subscribe(topic, handler);
  }

  override publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    super.publish(topic, message);
    this.#send({ bus: topic, message } satisfies IpcEnvelope);
  }

  #send(message: IpcEnvelope | IpcSubscription): void {
    if (this.channel.connected) {
      // A failed send means that the supervisor is gone; this process is about to exit for that reason anyway.
      this.channel.send?.(message, undefined, undefined, () => {});
    }
  }

  override async close(): Promise<void> {
    this.channel.off('message', this.#onMessage);
    await super.close();
  }
}

/** The supervisor's end: passes each child's messages on to the other children and to its own subscribers. */
export class IpcHub extends MemoryBus implements Bus {
  override readonly backend = 'ipc' as const;
  readonly #children = new Map<ChildProcess, Set<BusTopic>>();

  /** Connects a child until it disconnects. */
  attach(child: ChildProcess): void {
    const topics = new Set<BusTopic>();
    this.#children.set(child, topics);
    child.on('message', (value) => {
      if (isSubscription(value)) topics.add(value.bus_subscribe);
      if (!isEnvelope(value)) return;
      this.#forward(value, child);
      this.deliver(value.bus, value.message as never);
    });
    child.once('disconnect', () => this.#children.delete(child));
  }

  override publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    super.publish(topic, message);
    this.#forward({ bus: topic, message }, null);
  }

  #forward(envelope: IpcEnvelope, from: ChildProcess | null): void {
    for (const [child, topics] of this.#children) {
      if (child !== from && child.connected && topics.has(envelope.bus)) child.send(envelope, () => {});
    }
  }
}
