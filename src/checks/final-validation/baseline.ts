import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { SuiteReport } from '../check.js';

const measureSchema = z.object({
  count: z.number(),
  per_second: z.number(),
  p50_ms: z.number(),
  p95_ms: z.number(),
  p99_ms: z.number(),
});
const baselineSchema = z.object({ profile: z.string(), measures: z.record(z.string(), measureSchema) });
const snapshotSchema = z.object({
  taken_at: z.iso.datetime(),
  tasks: z.array(
    z.object({ id: z.string(), name: z.string(), state: z.string(), next: z.array(z.string()) }),
  ),
});

/** Measures of a run, to compare later ones with. */
export type Baseline = z.infer<typeof baselineSchema>;
/** The tasks of a system at a moment. */
export type Snapshot = z.infer<typeof snapshotSchema>;

/** @throws PaoError PAO_BASELINE_INVALID (exit 2) when the file is not there or not a baseline of this profile. */
export function readBaseline(file: string, profile: string): Baseline {
  const baseline = read(file, baselineSchema, 'a baseline', 'pao final-validation --save-baseline');
  if (baseline.profile === profile) return baseline;
  throw new PaoError(
    'PAO_BASELINE_INVALID',
    `${file} was measured with the profile ${baseline.profile}, not ${profile}.`,
    {
      exitCode: EXIT.usage,
      hints: [`pao final-validation --profile ${baseline.profile} --baseline ${file}`],
    },
  );
}

/** @throws PaoError PAO_BASELINE_INVALID (exit 2) when the file is not there or not a snapshot. */
export const readSnapshot = (file: string): Snapshot =>
  read(file, snapshotSchema, 'a snapshot', 'pao final-validation --target URL --snapshot');

/** What the load scenarios of a run measured. */
export function baselineOf(report: SuiteReport, profile: string): Baseline {
  const measured = report.checks.flatMap(({ id, evidence }) => {
    const measure = measureSchema.safeParse(evidence);
    return measure.success && id.startsWith('load.') ? [[id, measure.data] as const] : [];
  });
  return { profile, measures: Object.fromEntries(measured) };
}

function read<T>(file: string, schema: z.ZodType<T>, what: string, command: string): T {
  let problem: string;
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    if (parsed.success) return parsed.data;
    problem = `is not ${what}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problem = code === undefined ? `is not ${what}` : `can not be read (${code})`;
  }
  throw new PaoError('PAO_BASELINE_INVALID', `${file} ${problem}.`, {
    exitCode: EXIT.usage,
    hints: [`${command} ${file}`],
  });
}
