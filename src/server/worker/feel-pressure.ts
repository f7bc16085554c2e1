import { getHeapStatistics } from 'node:v8';
import type { LoopLag } from '../telemetry/loop-lag.js';
import type { Pressure } from './concurrency-limit.js';

/** Bounds of what is bearable: share of the heap or of the container's memory, milliseconds of the rest. */
const MEMORY_SHARE = 0.85;
const LOOP_LAG_MS = 500;
const DATABASE_MS = 2000;

/** What this process feels of the load. */
export function feelPressure(lag: LoopLag, databaseMs: number): Pressure {
  const heap = getHeapStatistics();
  const { rss } = process.memoryUsage();
  // 0 or a huge number where nothing limits the process but the machine.
  const constrained = process.constrainedMemory();
  const ofContainer = constrained > 0 && constrained < Number.MAX_SAFE_INTEGER ? rss / constrained : 0;
  return {
    memory: Math.max(heap.used_heap_size / heap.heap_size_limit, ofContainer) / MEMORY_SHARE,
    event_loop: lag.lasting / LOOP_LAG_MS,
    database: databaseMs / DATABASE_MS,
  };
}
