/** How bad it is: an error makes the command fail, a warning does so under `--strict`. */
export type Severity = 'error' | 'warning';

/** What a rule looks at: program code, or task files. */
export type RuleKind = 'code' | 'task' | 'both';

/** A rule as it is listed, configured and documented. */
export interface RuleInfo {
  /** Stable: `injected-clock`. Its page is `docs/lint/<id>.md`. */
  id: string;
  /** A sentence that is true of a file without findings. */
  title: string;
  kind: RuleKind;
  severity: Severity;
  /** Whether `--fix` mends some of its findings. */
  fixable: boolean;
}

/** A change of a file's text: the characters from `start` to `end` (offsets in UTF-16 units) become `text`. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** What a rule says about a place in a file, before severities and suppressions are applied. */
export interface Report {
  rule: string;
  message: string;
  /** What to do about it. */
  hint?: string;
  /** Offsets in the text of the file. */
  start: number;
  end: number;
  /** Mends it without changing what else the file means. */
  fix?: Edit[];
}

/** One thing found, as it is shown. Lines and columns count from 1; the end is exclusive. */
export interface Finding {
  rule: string;
  severity: Severity;
  message: string;
  hint: string | null;
  file: string;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
  fixable: boolean;
}
