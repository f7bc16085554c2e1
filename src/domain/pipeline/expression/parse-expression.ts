import { FORBIDDEN_KEYS } from '../../forbidden-keys.js';
import { ExpressionSyntaxError } from './expression-error.js';
import type { Comparator, ExpressionNode } from './syntax-tree.js';
import { type Token, type TokenType, tokenize } from './tokenize.js';

/** Longest expression, in UTF-16 code units. */
export const MAX_EXPRESSION_LENGTH = 4096;
/** Deepest nesting of an expression. */
export const MAX_EXPRESSION_DEPTH = 32;
/** Most nodes in an expression. */
export const MAX_EXPRESSION_NODES = 1000;

/** How tightly an operator binds; the order is that of the JMESPath specification. */
const POWER: Partial<Record<TokenType, number>> = {
  '|': 1,
  '||': 2,
  '&&': 3,
  '==': 5,
  '!=': 5,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  '[]': 9,
  '*': 20,
  '[?': 21,
  '.': 40,
  '[': 55,
  '(': 60,
};
const NOT_POWER = 8;
/** A projection ends before any operator weaker than this. */
const PROJECTION_STOP = 10;

/**
 * Reads one JMESPath expression (https://jmespath.org/specification.html; `$` is the root, as in JMESPath Community).
 * @throws ExpressionSyntaxError when it is not one, or is too long, too deep or too large.
 */
export function parseExpression(text: string): ExpressionNode {
  if (text.length > MAX_EXPRESSION_LENGTH) {
    throw new ExpressionSyntaxError(
      `the expression has ${text.length} characters, at most ${MAX_EXPRESSION_LENGTH} are allowed`,
      0,
      'Split it: let a data.transform step prepare the value',
    );
  }
  return new Parser(tokenize(text)).parse();
}

class Parser {
  #index = 0;
  #depth = 0;
  #nodes = 0;

  constructor(private readonly tokens: Token[]) {}

  parse(): ExpressionNode {
    if (this.#peek().type === 'end') throw new ExpressionSyntaxError('the expression is empty', 0);
    const node = this.#expression(0);
    if (this.#peek().type !== 'end') throw this.#unexpected(this.#peek());
    return node;
  }

  #expression(power: number): ExpressionNode {
    this.#depth += 1;
    if (this.#depth > MAX_EXPRESSION_DEPTH) {
      throw new ExpressionSyntaxError(
        `the expression is nested deeper than ${MAX_EXPRESSION_DEPTH}`,
        this.#peek().at,
      );
    }
    let left = this.#prefix(this.#next());
    while (power < (POWER[this.#peek().type] ?? 0)) left = this.#infix(this.#next(), left);
    this.#depth -= 1;
    return left;
  }

  #prefix(token: Token): ExpressionNode {
    const at = token.at;
    switch (token.type) {
      case 'literal':
        return this.#node({ type: 'literal', value: token.value, at });
      case 'identifier':
        return this.#node({ type: 'field', name: token.value as string, at });
      case 'quoted':
        if (this.#peek().type === '(') {
          throw new ExpressionSyntaxError('the name of a function is written without quotes', at);
        }
        return this.#node({ type: 'field', name: token.value as string, at });
      case '!':
        return this.#node({ type: 'not', child: this.#expression(NOT_POWER), at });
      case '@':
        return this.#node({ type: 'current', at });
      case '$':
        return this.#node({ type: 'root', at });
      case '(': {
        const node = this.#expression(0);
        this.#expect(')');
        return node;
      }
      case '*':
        return this.#node({ type: 'value_projection', left: this.#current(at), right: this.#right(20), at });
      case '[?':
        return this.#filter(this.#current(at), at);
      case '[]':
        return this.#flatten(this.#current(at), at);
      case '{':
        return this.#hash(at);
      case '[':
        if (this.#startsIndex()) return this.#indexOrSlice(this.#current(at), at);
        if (this.#peek().type === '*' && this.#peek(1).type === ']') {
          this.#index += 2;
          return this.#node({ type: 'projection', left: this.#current(at), right: this.#right(20), at });
        }
        return this.#list(at);
      default:
        throw this.#unexpected(token);
    }
  }

  #infix(token: Token, left: ExpressionNode): ExpressionNode {
    const at = token.at;
    switch (token.type) {
      case '.':
        if (this.#peek().type === '*') {
          this.#index += 1;
          return this.#node({ type: 'value_projection', left, right: this.#right(20), at: left.at });
        }
        return this.#node({ type: 'sub', left, right: this.#afterDot(40), at: left.at });
      case '|':
        return this.#node({ type: 'pipe', left, right: this.#expression(1), at: left.at });
      case '||':
        return this.#node({ type: 'or', left, right: this.#expression(2), at: left.at });
      case '&&':
        return this.#node({ type: 'and', left, right: this.#expression(3), at: left.at });
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=': {
        const operator: Comparator = token.type;
        return this.#node({ type: 'compare', operator, left, right: this.#expression(5), at: left.at });
      }
      case '(':
        return this.#call(left, at);
      case '[?':
        return this.#filter(left, left.at);
      case '[]':
        return this.#flatten(left, left.at);
      case '[':
        if (this.#startsIndex()) return this.#indexOrSlice(left, at);
        if (this.#peek().type !== '*') {
          throw new ExpressionSyntaxError(
            'after "[" a number, a slice, "*" or "?" was expected',
            this.#peek().at,
            'A key in brackets is written with a dot: params."key"',
          );
        }
        this.#index += 1;
        this.#expect(']');
        return this.#node({ type: 'projection', left, right: this.#right(20), at: left.at });
      default:
        throw this.#unexpected(token);
    }
  }

  #call(left: ExpressionNode, at: number): ExpressionNode {
    const before = this.tokens[this.#index - 2];
    if (left.type !== 'field' || before?.type !== 'identifier') {
      throw new ExpressionSyntaxError('"(" may follow only the name of a function', at);
    }
    const args: ExpressionNode[] = [];
    if (this.#peek().type === ')') {
      this.#index += 1;
    } else {
      do args.push(this.#argument());
      while (this.#accept(','));
      this.#expect(')');
    }
    return this.#node({ type: 'call', name: left.name, args, at: left.at });
  }

  #argument(): ExpressionNode {
    const { at } = this.#peek();
    if (!this.#accept('&')) return this.#expression(0);
    return this.#node({ type: 'reference', child: this.#expression(0), at });
  }

  #filter(left: ExpressionNode, at: number): ExpressionNode {
    const condition = this.#expression(0);
    this.#expect(']');
    const right = this.#peek().type === '[]' ? this.#current(at) : this.#right(21);
    return this.#node({ type: 'filter', left, condition, right, at });
  }

  #flatten(child: ExpressionNode, at: number): ExpressionNode {
    const left = this.#node({ type: 'flatten', child, at });
    return this.#node({ type: 'projection', left, right: this.#right(9), at });
  }

  #list(at: number): ExpressionNode {
    const children: ExpressionNode[] = [];
    do children.push(this.#expression(0));
    while (this.#accept(','));
    this.#expect(']');
    return this.#node({ type: 'list', children, at });
  }

  #hash(at: number): ExpressionNode {
    const entries: { key: string; value: ExpressionNode }[] = [];
    do {
      const token = this.#next();
      if (token.type !== 'identifier' && token.type !== 'quoted') throw this.#unexpected(token);
      const key = token.value as string;
      if (FORBIDDEN_KEYS.has(key)) {
        throw new ExpressionSyntaxError(`the key "${key}" is not allowed`, token.at);
      }
      this.#expect(':');
      entries.push({ key, value: this.#expression(0) });
    } while (this.#accept(','));
    this.#expect('}');
    return this.#node({ type: 'hash', entries, at });
  }

  #startsIndex(): boolean {
    const { type } = this.#peek();
    return type === 'number' || type === ':';
  }

  #indexOrSlice(left: ExpressionNode, at: number): ExpressionNode {
    const parts: (number | null)[] = [null];
    while (this.#peek().type !== ']') {
      const token = this.#next();
      if (token.type === 'number') parts[parts.length - 1] = token.value as number;
      else if (token.type === ':' && parts.length < 3) parts.push(null);
      else throw this.#unexpected(token);
      if (token.type === 'number' && this.#peek().type === 'number') throw this.#unexpected(this.#peek());
    }
    this.#index += 1;
    if (parts.length === 1) {
      const right = this.#node({ type: 'index', index: parts[0] as number, at });
      return this.#node({ type: 'sub', left, right, at: left.at });
    }
    const [start = null, stop = null, step = null] = parts;
    if (step === 0) throw new ExpressionSyntaxError('the step of a slice can not be 0', at);
    const slice = this.#node({ type: 'slice', start, stop, step, at });
    const sliced = this.#node({ type: 'sub', left, right: slice, at: left.at });
    return this.#node({ type: 'projection', left: sliced, right: this.#right(20), at: left.at });
  }

  #right(power: number): ExpressionNode {
    const token = this.#peek();
    if ((POWER[token.type] ?? 0) < PROJECTION_STOP) return this.#current(token.at);
    if (token.type === '[' || token.type === '[?') return this.#expression(power);
    if (token.type === '.') {
      this.#index += 1;
      return this.#afterDot(power);
    }
    throw this.#unexpected(token);
  }

  #afterDot(power: number): ExpressionNode {
    const token = this.#peek();
    switch (token.type) {
      case 'identifier':
      case 'quoted':
      case '*':
        return this.#expression(power);
      case '[':
        this.#index += 1;
        return this.#list(token.at);
      case '{':
        this.#index += 1;
        return this.#hash(token.at);
      default:
        throw this.#unexpected(token);
    }
  }

  #current(at: number): ExpressionNode {
    return this.#node({ type: 'current', at });
  }

  #node(node: ExpressionNode): ExpressionNode {
    this.#nodes += 1;
    if (this.#nodes > MAX_EXPRESSION_NODES) {
      throw new ExpressionSyntaxError(`the expression has more than ${MAX_EXPRESSION_NODES} parts`, node.at);
    }
    return node;
  }

  #peek(offset = 0): Token {
    return this.tokens[Math.min(this.#index + offset, this.tokens.length - 1)] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.type === 'end') throw this.#unexpected(token);
    this.#index += 1;
    return token;
  }

  #accept(type: TokenType): boolean {
    if (this.#peek().type !== type) return false;
    this.#index += 1;
    return true;
  }

  #expect(type: TokenType): void {
    const token = this.#peek();
    if (token.type !== type) {
      throw new ExpressionSyntaxError(`${describe(token)}, "${type}" was expected`, token.at);
    }
    this.#index += 1;
  }

  #unexpected(token: Token): ExpressionSyntaxError {
    return new ExpressionSyntaxError(describe(token), token.at);
  }
}

function describe(token: Token): string {
  if (token.type === 'end') return 'the expression ends too early';
  return `unexpected ${typeof token.value === 'string' ? `"${token.value}"` : JSON.stringify(token.value)}`;
}
