/** What a check came to. A skipped one says why; a warning fails a run under `--strict` alone. */
export type CheckStatus = 'passed' | 'failed' | 'warned' | 'skipped';

/** What a check saw: plain JSON data, redacted, small enough to read. */
export type Evidence = Record<string, unknown>;

/** Something a check needs that a system may not have. */
export type Requirement =
  | 'server'
  | 'ephemeral-server'
  /** The server can reach what the check listens with on 127.0.0.1. */
  | 'same-machine'
  | 'postgres'
  | 'redis'
  | 'prometheus'
  | 'admin';

/** What a check is given besides the context of its suite. */
export interface CheckTools {
  /** Ends at the check's timeout or at Ctrl-C: everything that waits must listen to it. */
  signal: AbortSignal;
  /** Shows what it is busy with. */
  progress(text: string): void;
  /** Runs at the end of the suite, last first, whatever happened: removes what the check made. */
  cleanUp(what: string, work: () => Promise<void> | void): void;
  /** The command that runs this check again and shows all it saw: the hint when there is no better one. */
  rerun: string;
}

/**
 * One thing that is proved about a system. It resolves with what it saw, or throws {@link CheckFailure},
 * {@link CheckWarning} or {@link CheckSkipped}; anything else that is thrown is a failure as well.
 */
export interface Check<Context> {
  /** Stable: `briefing.delivered`. */
  id: string;
  /** A sentence that is true when it passes: "A worker that dies is replaced". */
  title: string;
  group: string;
  /** Milliseconds; 60 s when left out. */
  timeoutMs?: number;
  /** Ids of checks of the same suite that must have passed; else this one is skipped and says so. */
  needs?: readonly string[];
  requires?: readonly Requirement[];
  /** Disturbs a live system (kills, stops, floods): skipped with `--target` unless `--allow-disruptive`. */
  isDisruptive?: boolean;
  /** Runs while no other check does. */
  isExclusive?: boolean;
  run(context: Context, tools: CheckTools): Promise<Evidence>;
}

/** The thing checked is wrong. `hint` names the next command to type. */
export class CheckFailure extends Error {
  override name = 'CheckFailure';

  constructor(
    message: string,
    readonly hint: string,
    readonly evidence: Evidence = {},
  ) {
    super(message);
  }
}

/** The thing checked works, and a person should still look at it. */
export class CheckWarning extends CheckFailure {
  override name = 'CheckWarning';
}

/** The check does not apply here; `message` says why, `hint` what would make it apply. */
export class CheckSkipped extends CheckFailure {
  override name = 'CheckSkipped';
}

/** Where the system under test is, as the report names it. */
export interface Target {
  url: string | null;
  store: string;
  bus: string;
  ephemeral: boolean;
}

/** What a suite was asked to do. */
export interface SuiteOptions {
  /** The folder pao is installed in, with `bin/` and `dist/`. */
  packageRoot: string;
  /** Of pao itself. */
  version: string;
  /** A running system to check; null: the suite starts its own, on free ports and in a temporary directory. */
  target: { url: string; token: string } | null;
  only: readonly string[];
  skip: readonly string[];
  failFast: boolean;
  /** For each check, milliseconds; its own when null. */
  timeoutMs: number | null;
  /** How many checks run at once; 4 when left out. */
  concurrency?: number | undefined;
  strict: boolean;
  allowDisruptive: boolean;
  signal: AbortSignal;
  env: Readonly<Record<string, string | undefined>>;
}

/** A named group of checks that one command runs. */
export interface Suite<Context, Options extends SuiteOptions = SuiteOptions> {
  /** As in the JSON document: `final-validation`. */
  id: string;
  title: string;
  /** How it is typed: `pao final-validation`. */
  command: string;
  checks: readonly Check<Context>[];
  /** What is there to be checked, made once; `dispose` is always called, also after a failure or Ctrl-C. */
  setUp(options: Options, progress: (text: string) => void): Promise<SuiteSetUp<Context>>;
}

/** What {@link Suite.setUp} gives. */
export interface SuiteSetUp<Context> {
  context: Context;
  target: Target;
  has: ReadonlySet<Requirement>;
  dispose(): Promise<void>;
  /** Values that no report may hold, tokens above all; those of {@link SuiteOptions} are hidden anyway. */
  secrets?: readonly string[];
}

/** One check's line in the JSON document of interfaces.md. */
export interface CheckResult {
  id: string;
  title: string;
  group: string;
  status: CheckStatus;
  duration_ms: number;
  evidence: Evidence;
  error: string | null;
  hint: string | null;
}

/** The JSON document of a suite (interfaces.md). */
export interface SuiteReport {
  suite: string;
  status: 'passed' | 'failed';
  version: string;
  started_at: string;
  duration_ms: number;
  target: Target;
  totals: { passed: number; failed: number; warned: number; skipped: number };
  checks: CheckResult[];
}
