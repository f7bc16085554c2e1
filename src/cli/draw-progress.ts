import type { Output } from './output.js';
import { progressStyle } from './progress.js';

/** Shows in a terminal how far something long is, as one line that is drawn again; nothing elsewhere. */
export function drawProgress(
  out: Output,
  env: Readonly<Record<string, string | undefined>>,
  what: string,
): { show: (done: number) => void; end: () => void } {
  if (progressStyle(out, env) !== 'default') return { show: () => {}, end: () => {} };
  const { stderr } = out.options;
  let shown = -1;
  return {
    show(done) {
      const percent = Math.floor(done * 100);
      if (percent === shown) return;
      shown = percent;
      stderr.write(`\r${out.paintNote.dim(`${what} ${String(percent).padStart(3)} %`)}`);
    },
    end: () => {
      if (shown >= 0) stderr.write('\r\u001b[2K');
    },
  };
}
