import { childrenOf, type ExpressionNode } from './expression/syntax-tree.js';
import type { Path } from './expression/plain-path.js';

/** A path from the root of the scope that an expression reads. */
export interface Reference {
  path: Path;
  /** Whether the expression has an answer for its absence: `||`, `default()`, `not_null()`, a trailing `?`. */
  optional: boolean;
}

const FORGIVING = new Set(['default', 'not_null', 'type', 'to_array']);

/** Every path an expression reads from the root of the scope; what is read from elements of lists is not known. */
export function referencesOf(node: ExpressionNode, optional: boolean): Reference[] {
  const found: Reference[] = [];
  const record = (path: Path | null, isOptional: boolean): void => {
    if (path !== null && path.length > 0) found.push({ path, optional: isOptional });
  };
  /** `base` is the path of the value the node is evaluated on, null when it is not known; the result likewise. */
  const walk = (at: ExpressionNode, base: Path | null, isOptional: boolean): Path | null => {
    switch (at.type) {
      case 'field':
        return base === null ? null : [...base, at.name];
      case 'index':
        return base === null ? null : [...base, at.index];
      case 'current':
        return base;
      case 'root':
        return [];
      case 'sub':
      case 'pipe': {
        const left = walk(at.left, base, isOptional);
        if (extendsPath(at.right)) return walk(at.right, left, isOptional);
        record(walk(at.right, left, isOptional), isOptional);
        return null;
      }
      case 'projection':
      case 'value_projection':
        record(walk(at.left, base, isOptional), isOptional);
        record(walk(at.right, null, isOptional), isOptional);
        return null;
      case 'filter':
        record(walk(at.left, base, isOptional), isOptional);
        record(walk(at.condition, null, isOptional), isOptional);
        record(walk(at.right, null, isOptional), isOptional);
        return null;
      case 'reference':
        record(walk(at.child, null, isOptional), isOptional);
        return null;
      case 'or':
        record(walk(at.left, base, true), true);
        record(walk(at.right, base, isOptional), isOptional);
        return null;
      default: {
        const forgiving = isOptional || (at.type === 'call' && FORGIVING.has(at.name));
        for (const child of childrenOf(at)) record(walk(child, base, forgiving), forgiving);
        return null;
      }
    }
  };
  record(walk(node, [], optional), optional);
  return found;
}

function extendsPath(node: ExpressionNode): boolean {
  switch (node.type) {
    case 'field':
    case 'index':
    case 'current':
    case 'root':
      return true;
    case 'sub':
    case 'pipe':
      return extendsPath(node.left) && extendsPath(node.right);
    default:
      return false;
  }
}
