import type { RunObject, StepObject } from '../../client/api-objects.js';
import { unitWords } from '../../domain/budget-words.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { errorLines } from './run-lines.js';

/** A step of a dry run. */
type DryStepObject = StepObject & { action: string };
export type DryRunObject = Omit<RunObject, 'steps'> & { dry_run: true; steps: DryStepObject[] };

const WORDS: Record<string, string> = {
  called: 'called',
  not_called: 'not called',
  given: 'output given',
  not_delivered: 'not delivered',
  would_wait: 'would wait',
  not_shown: 'can not be shown: it needs what was not called',
  not_followed: 'can not be followed: its list comes from what was not called',
  skipped: 'skipped',
  failed: 'failed',
  gathered: '',
};

/** Shows what a run would do, step by step. */
export function showDryRun(run: DryRunObject, out: Output): void {
  const { paint } = out;
  for (const step of run.steps) {
    const word = WORDS[step.action] ?? step.action;
    const isHidden = step.action === 'not_shown' || step.action === 'not_followed';
    const why = step.reason === null || isHidden ? '' : ` (${step.reason})`;
    const painted = step.action === 'failed' ? paint.red(word + why) : paint.yellow(word + why);
    const isPlain = step.action === 'called' || step.action === 'given';
    out.line(
      [paint.bold(visible(step.id)), paint.dim(visible(step.tool ?? '')), isPlain ? word : painted]
        .filter((text) => text !== '')
        .join('  '),
    );
    showJson('input', step.input, out);
    if (step.usage) out.line(`  ${paint.dim('tokens')} at most ${unitWords('tokens', tokensOf(step.usage))}`);
    if (step.action !== 'not_called') showJson('output', step.output, out);
    if (step.error !== null) errorLines(step.error, (line) => out.line(`  ${paint.red(line)}`));
  }
  const why = run.reason === null ? '' : ` (${run.reason})`;
  if (run.error !== null && !run.steps.some(({ error }) => error !== null))
    errorLines(run.error, (line) => out.line(paint.red(line)));
  out.line();
  out.line(`It would end as ${run.status}${why}. Nothing was sent, and nothing of it is kept.`);
  const tokens = run.steps.reduce((sum, { usage }) => sum + tokensOf(usage), 0);
  if (tokens > 0)
    out.line(`Models would be asked, for at most ${unitWords('tokens', tokens)} without retries.`);
  const missing = run.steps.find(({ action }) => action === 'not_called');
  const isHidden = run.steps.some(({ action }) => action === 'not_shown' || action === 'not_followed');
  if ((isHidden || run.error?.kind === 'template') && missing !== undefined)
    out.hint(`--outputs '{"${missing.id}": …}' says what a step that is not called would give`);
}

const tokensOf = (usage: StepObject['usage']): number =>
  usage ? usage.input_tokens + usage.output_tokens : 0;

function showJson(name: string, value: unknown, out: Output): void {
  if (value === null || value === undefined) return;
  const [first = '', ...more] = JSON.stringify(value, null, 2).split('\n');
  out.line(`  ${out.paint.dim(name.padEnd(6))} ${visible(first)}`);
  for (const line of more) out.line(`         ${visible(line)}`);
}
