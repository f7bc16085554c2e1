import { Config } from '@oclif/core/config';
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

/** The reason the abort signal of a {@link CliProcess} carries. */
export class Interruption extends Error {
  override readonly name = 'AbortError';

  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? 'Interrupted.' : 'Terminated.');
  }
}
