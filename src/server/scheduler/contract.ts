/** What one pass did. */
export interface PassResult {
  tasks: number;
  queued: number;
  skipped: number;
  missed: number;
  events: number;
  reclaimed: number;
}

/** What turns due times into rows, as services and checks use it; `pao lint-scheduler` holds every implementation to it. */
export interface SchedulerContract {
  /** When the last pass ended well, epoch milliseconds. */
  readonly lastTickAt: number | null;
  /** Begins to look; a second call does nothing. */
  start(): void;
  /** Lets a pass that has begun end, and begins no other. */
  stop(): Promise<void>;
  /** Looks now. Calls during a pass cause one more pass after it. */
  wake(): void;
  /** One pass, whether it was started or not. */
  runOnce(): Promise<PassResult>;
}
