import type { ArrowFunctionExpression, Class, Comment, Function as PlainFunction, Node } from 'oxc-parser';
import type * as OxcParser from 'oxc-parser';
import { SourceText } from './source-text.js';

export type Parser = Pick<typeof OxcParser, 'parseSync' | 'visitorKeys'>;
export type FunctionNode = PlainFunction | ArrowFunctionExpression;
/** The nodes of a type; some types of node share one shape. */
export type NodeOf<T extends Node['type']> = Node extends infer N
  ? N extends { type: infer U }
    ? T extends U
      ? N
      : never
    : never
  : never;

/** A parsed TypeScript or JavaScript file: every node in the order of the text, with its parent. */
export class CodeFile {
  readonly source: SourceText;
  readonly nodes: Node[] = [];
  readonly comments: readonly Comment[];
  readonly functions: FunctionNode[] = [];
  readonly classes: Class[] = [];
  /** What the parser could not read. */
  readonly errors: { message: string; start: number; end: number }[];
  readonly #spans = new Map<Node, { index: number; end: number }>();
  readonly #byType = new Map<string, Node[]>();

  constructor(
    /** Its path, absolute. */
    readonly path: string,
    text: string,
    parser: Parser,
  ) {
    this.source = new SourceText(text);
    const parsed = parser.parseSync(path, text, { preserveParens: false });
    this.comments = parsed.comments;
    this.errors = parsed.errors
      .filter(({ severity }) => (severity as string) === 'Error')
      .map(({ message, labels: [label] }) => ({
        message,
        start: label?.start ?? 0,
        end: label?.end ?? label?.start ?? 0,
      }));
    this.#visit(parsed.program as Node, undefined, parser.visitorKeys);
  }

  get text(): string {
    return this.source.text;
  }

  get program(): Node {
    return this.nodes[0] as Node;
  }

  get isTypeScript(): boolean {
    return /\.[cm]?tsx?$/.test(this.path);
  }

  /** All nodes of a type, in the order of the text. */
  all<T extends Node['type']>(type: T): NodeOf<T>[] {
    return (this.#byType.get(type) ?? []) as NodeOf<T>[];
  }

  /** Everything inside a node, itself left out. */
  inside(node: Node): Node[] {
    const span = this.#spans.get(node);
    return span === undefined ? [] : this.nodes.slice(span.index + 1, span.end);
  }

  /** Everything that runs when the node is evaluated: what is inside it, but not inside functions in it. */
  insideWithoutFunctions(node: Node): Node[] {
    const found: Node[] = [];
    const span = this.#spans.get(node);
    if (span === undefined) return found;
    for (let at = span.index + 1; at < span.end; at += 1) {
      const one = this.nodes[at] as Node;
      found.push(one);
      if (isFunction(one)) at = (this.#spans.get(one)?.end ?? at + 1) - 1;
    }
    return found;
  }

  textOf(node: Node): string {
    return this.text.slice(node.start, node.end);
  }

  #visit(node: Node, parent: Node | undefined, keys: Record<string, string[]>): void {
    const index = this.nodes.length;
    if (parent !== undefined) (node as { parent?: Node }).parent = parent;
    this.nodes.push(node);
    const ofType = this.#byType.get(node.type);
    if (ofType === undefined) this.#byType.set(node.type, [node]);
    else ofType.push(node);
    if (isFunction(node)) this.functions.push(node);
    if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') this.classes.push(node);
    for (const key of keys[node.type] ?? []) {
      const child = (node as unknown as Record<string, unknown>)[key];
      for (const one of Array.isArray(child) ? child : [child]) {
        if (typeof one === 'object' && one !== null) this.#visit(one as Node, node, keys);
      }
    }
    this.#spans.set(node, { index, end: this.nodes.length });
  }
}

/** A function with a body of its own: declaration, expression, arrow, or the value of a method. */
export function isFunction(node: Node): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  );
}

/** The nodes around a node, the nearest first. */
export function* ancestors(node: Node): Generator<Node> {
  for (let at = node.parent; at; at = at.parent ?? undefined) yield at;
}

/** The function a node runs in; null at the top of the file. */
export function enclosingFunction(node: Node): FunctionNode | null {
  for (const one of ancestors(node)) if (isFunction(one)) return one;
  return null;
}

/** The class whose `this` a node has. */
export function enclosingClass(node: Node): Class | null {
  for (const one of ancestors(node)) {
    if (one.type === 'ClassDeclaration' || one.type === 'ClassExpression') return one;
    // A function of its own has a `this` of its own, unless it is a method.
    if (one.type === 'FunctionDeclaration') return null;
    if (one.type === 'FunctionExpression' && one.parent?.type !== 'MethodDefinition') return null;
  }
  return null;
}
