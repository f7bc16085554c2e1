import { FORBIDDEN_KEYS } from '../../forbidden-keys.js';
import { ExpressionSyntaxError } from './expression-error.js';

export type TokenType =
  | 'end'
  | 'identifier'
  | 'quoted'
  | 'number'
  | 'literal'
  | '.'
  | '*'
  | ','
  | ':'
  | '{'
  | '}'
  | '['
  | ']'
  | '[]'
  | '[?'
  | '('
  | ')'
  | '@'
  | '$'
  | '&'
  | '&&'
  | '|'
  | '||'
  | '!'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>=';

/** One token; `value` is the name, number or JSON value it stands for, `at` its offset. */
export interface Token {
  type: TokenType;
  value: unknown;
  at: number;
}

const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /-?\d+/y;
const OPERATOR = /\[\?|\[\]|&&|\|\||==|!=|<=|>=|[.*,:{}[\]()@$&|!<>]/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/sy;
const RAW_STRING = /'(?:[^'\\]|\\.)*'/sy;
const JSON_LITERAL = /`(?:[^`\\]|\\.)*`/sy;

/**
 * Cuts a JMESPath expression into tokens (https://jmespath.org/specification.html, Grammar).
 * @throws ExpressionSyntaxError at the first character that starts no token.
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  while (at < text.length) {
    const char = text[at] as string;
    if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      at += 1;
      continue;
    }
    const start = at;
    let found: string | null;
    if ((found = match(IDENTIFIER)) !== null) {
      tokens.push({ type: 'identifier', value: found, at });
    } else if ((found = match(NUMBER)) !== null) {
      const value = Number(found);
      if (!Number.isSafeInteger(value)) throw new ExpressionSyntaxError(`${found} is too large`, start);
      tokens.push({ type: 'number', value, at });
    } else if (char === '"') {
      found = match(QUOTED);
      if (found === null) throw unclosed('name in double quotes', '"', start);
      tokens.push({ type: 'quoted', value: readJson(found, start), at });
    } else if (char === "'") {
      found = match(RAW_STRING);
      if (found === null) throw unclosed('text in single quotes', "'", start);
      tokens.push({ type: 'literal', value: found.slice(1, -1).replace(/\\(['\\])/g, '$1'), at });
    } else if (char === '`') {
      found = match(JSON_LITERAL);
      if (found === null) throw unclosed('JSON literal', '`', start);
      tokens.push({ type: 'literal', value: readJson(found.slice(1, -1).replace(/\\`/g, '`'), start), at });
    } else if ((found = match(OPERATOR)) !== null) {
      tokens.push({ type: found as TokenType, value: found, at });
    } else {
      throw unknownCharacter(char, start);
    }
    at += found.length;
  }
  tokens.push({ type: 'end', value: '', at: text.length });
  return tokens;
}

function unclosed(what: string, quote: string, at: number): ExpressionSyntaxError {
  return new ExpressionSyntaxError(`a ${what} is not closed`, at, `Add the closing ${quote}`);
}

function unknownCharacter(char: string, at: number): ExpressionSyntaxError {
  const hints: Record<string, string> = {
    '=': 'Compare with ==',
    '?': '`?` may stand only at the very end, as in ${steps.weather.daily?}',
    '+': 'JMESPath has no arithmetic; join text with join(), add numbers with sum([a, b])',
    '-': 'JMESPath has no arithmetic; a name with a dash is written in double quotes: params."chat-id"',
    '/': 'JMESPath has no arithmetic',
    '%': 'JMESPath has no arithmetic',
  };
  return new ExpressionSyntaxError(
    `unexpected character ${JSON.stringify(char)}`,
    at,
    Object.hasOwn(hints, char) ? hints[char] : undefined,
  );
}

function readJson(text: string, at: number): unknown {
  try {
    return JSON.parse(text, (key, value) => {
      if (FORBIDDEN_KEYS.has(key)) throw new ExpressionSyntaxError(`the key "${key}" is not allowed`, at);
      return value;
    });
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) throw error;
    throw new ExpressionSyntaxError(
      'a literal in backticks is not JSON',
      at,
      "Write text in single quotes: 'text', and numbers and lists in backticks: `0`, `[]`",
    );
  }
}
