/** A string taken apart: text to copy, and expressions between `${` and `}`. */
export type TemplatePart =
  | { type: 'text'; text: string }
  /** `at` is the offset of the expression (after `${`) in the whole string. */
  | { type: 'expression'; source: string; at: number };

/** A template whose `${` has no `}`. */
export class UnclosedTemplateError extends Error {
  constructor(
    /** Offset of the `${`. */
    readonly at: number,
  ) {
    super('"${" has no closing "}"');
    this.name = 'UnclosedTemplateError';
  }
}

/**
 * Takes a string apart at its `${…}`; `$${` stands for a plain `${`.
 * Braces inside names, texts and literals of the expression do not end it.
 * @throws UnclosedTemplateError
 */
export function splitTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) {
      plain += text.slice(at);
      break;
    }
    plain += text.slice(at, dollar);
    if (text.startsWith('$${', dollar)) {
      plain += '${';
      at = dollar + 3;
    } else if (text[dollar + 1] === '{') {
      const start = dollar + 2;
      const end = endOfExpression(text, start);
      if (end < 0) throw new UnclosedTemplateError(dollar);
      if (plain !== '') parts.push({ type: 'text', text: plain });
      plain = '';
      parts.push({ type: 'expression', source: text.slice(start, end), at: start });
      at = end + 1;
    } else {
      plain += '$';
      at = dollar + 1;
    }
  }
  if (plain !== '') parts.push({ type: 'text', text: plain });
  return parts;
}

function endOfExpression(text: string, start: number): number {
  let depth = 0;
  let quote = '';
  for (let at = start; at < text.length; at += 1) {
    const char = text[at] as string;
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') {
      quote = char;
    } else if (char === '{') {
      depth += 1;
    } else if (char === '}') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  return -1;
}
