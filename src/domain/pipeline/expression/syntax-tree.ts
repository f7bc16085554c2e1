/** A node of a parsed expression. `at` is the offset of its first character in the expression's text. */
export type ExpressionNode =
  | { type: 'field'; name: string; at: number }
  | { type: 'index'; index: number; at: number }
  | { type: 'slice'; start: number | null; stop: number | null; step: number | null; at: number }
  | { type: 'literal'; value: unknown; at: number }
  | { type: 'current'; at: number }
  | { type: 'root'; at: number }
  /** `left.right`, `left[0]`: the right side is evaluated against the result of the left one. */
  | { type: 'sub'; left: ExpressionNode; right: ExpressionNode; at: number }
  | { type: 'pipe'; left: ExpressionNode; right: ExpressionNode; at: number }
  | { type: 'or'; left: ExpressionNode; right: ExpressionNode; at: number }
  | { type: 'and'; left: ExpressionNode; right: ExpressionNode; at: number }
  | { type: 'not'; child: ExpressionNode; at: number }
  | { type: 'compare'; operator: Comparator; left: ExpressionNode; right: ExpressionNode; at: number }
  /** `left[*].right`: over the elements of a list. */
  | { type: 'projection'; left: ExpressionNode; right: ExpressionNode; at: number }
  /** `left.*.right`: over the values of an object. */
  | { type: 'value_projection'; left: ExpressionNode; right: ExpressionNode; at: number }
  | {
      type: 'filter';
      left: ExpressionNode;
      condition: ExpressionNode;
      right: ExpressionNode;
      at: number;
    }
  | { type: 'flatten'; child: ExpressionNode; at: number }
  | { type: 'list'; children: ExpressionNode[]; at: number }
  | { type: 'hash'; entries: { key: string; value: ExpressionNode }[]; at: number }
  | { type: 'call'; name: string; args: ExpressionNode[]; at: number }
  | { type: 'reference'; child: ExpressionNode; at: number };

export type Comparator = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** The direct children of a node, in the order in which they are written. */
export function childrenOf(node: ExpressionNode): ExpressionNode[] {
  switch (node.type) {
    case 'sub':
    case 'pipe':
    case 'or':
    case 'and':
    case 'compare':
    case 'projection':
    case 'value_projection':
      return [node.left, node.right];
    case 'filter':
      return [node.left, node.condition, node.right];
    case 'not':
    case 'flatten':
    case 'reference':
      return [node.child];
    case 'list':
      return node.children;
    case 'hash':
      return node.entries.map((entry) => entry.value);
    case 'call':
      return node.args;
    default:
      return [];
  }
}
