import { type Check, CheckFailure, CheckWarning, type Evidence } from '../check.js';
import type { DoctorContext } from './context.js';

export type DoctorCheck = Check<DoctorContext>;

/** Something wrong: what it is, why it matters, and the command that mends it or shows more. */
export interface Finding {
  what: string;
  why: string;
  command: string;
  evidence?: Evidence;
}

/** Something that does not work, or will not. */
export function broken({ what, why, command, evidence }: Finding): CheckFailure {
  return new CheckFailure(`${what}\n${why}`, command, { ...evidence, why });
}

/** Something that works, and that a person should look at. */
export function doubtful({ what, why, command, evidence }: Finding): CheckWarning {
  return new CheckWarning(`${what}\n${why}`, command, { ...evidence, why });
}

/** The first of a list in words: `a, b, c and 4 more`. */
export function some(names: readonly string[], max = 3): string {
  const shown = names.slice(0, max);
  return names.length > max ? `${shown.join(', ')} and ${names.length - max} more` : shown.join(', ');
}
