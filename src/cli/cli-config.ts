import { Config } from '@oclif/core/config';
import { EXIT } from '../domain/errors.js';
import type { BundledPlugin } from './bundled-plugin.js';

/** What a command may use of the process it runs in. */
export interface CliProcess {
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  userHome: string;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  colour: { stdout: boolean; stderr: boolean };
  /** Aborted by the first SIGINT or SIGTERM; its reason says which. */
  signal: AbortSignal;
}

/** oclif's configuration that also carries the process, so that no command reaches for a global. */
export class CliConfig extends Config {
  constructor(
    plugin: BundledPlugin,
    readonly process: CliProcess,
  ) {
    super({ root: plugin.root, plugins: new Map([[plugin.name, plugin]]) });
  }
}

/** The exit code of a command that a signal ended: 143 for SIGTERM, else 130. */
export function interruptedCode({ reason }: AbortSignal): number {
  const isTerm = reason instanceof Interruption && reason.signal === 'SIGTERM';
  return isTerm ? EXIT.terminated : EXIT.interrupted;
}

/** The reason the abort signal of a {@link CliProcess} carries. */
export class Interruption extends Error {
  override readonly name = 'AbortError';

  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? 'Interrupted.' : 'Terminated.');
  }
}
