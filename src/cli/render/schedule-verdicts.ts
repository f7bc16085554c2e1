import type { CheckResult } from '../../checks/check.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { zonedTime } from './task-time.js';

/** Each schedule that can be: in words, and when it fires next. */
export function showVerdicts(checks: readonly CheckResult[], out: Output): void {
  const { paint, symbols } = out;
  for (const { status, title, evidence } of checks) {
    if (typeof evidence['words'] !== 'string') continue;
    const mark = status === 'warned' ? paint.yellow(symbols.warn) : paint.green(symbols.ok);
    out.line(`${mark} ${paint.bold(visible(title))}`);
    out.line(`  ${visible(evidence['words'])}`);
    const zone = typeof evidence['timezone'] === 'string' ? evidence['timezone'] : null;
    for (const { at, local } of evidence['next'] as { at: string; local: string }[]) {
      out.line(`  ${paint.dim('next')}  ${zonedTime(at, local, zone)}  ${paint.dim(at)}`);
    }
    out.line();
  }
}
