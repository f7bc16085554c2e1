/** What one load scenario measured. */
export interface LoadMeasure {
  /** How many were done. */
  count: number;
  per_second: number;
  /** Milliseconds. */
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
}

/** Measures by the id of the check that took them. */
export type LoadMeasures = Record<string, LoadMeasure>;

/** Summarises what took how long. @param took milliseconds each; @param totalMs all of it. */
export function measureOf(took: readonly number[], totalMs: number): LoadMeasure {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
    return Math.round(value * 10) / 10;
  };
  return {
    count: took.length,
    per_second: Math.round((took.length / Math.max(1, totalMs)) * 10_000) / 10,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    p99_ms: at(0.99),
  };
}

/** Differences below this are noise, milliseconds. */
const NOISE_MS = 20;

/**
 * What got worse against an earlier measure by more than a bound.
 * @param percent how much worse is too much.
 * @returns a sentence for each figure; none when all is well.
 */
export function regressions(now: LoadMeasure, before: LoadMeasure, percent: number): string[] {
  const found: string[] = [];
  if (now.per_second < before.per_second / (1 + percent / 100)) {
    found.push(`throughput ${now.per_second}/s, was ${before.per_second}/s`);
  }
  for (const key of ['p50_ms', 'p95_ms', 'p99_ms'] as const) {
    if (now[key] > before[key] * (1 + percent / 100) + NOISE_MS) {
      found.push(`${key.slice(0, 3)} ${now[key]} ms, was ${before[key]} ms`);
    }
  }
  return found;
}
