import { nearest } from '../../nearest.js';
import { isObject, jsonType } from './json-values.js';
import type { ExpressionNode } from './syntax-tree.js';

/** Names and indexes from the root of the scope, for example `['steps', 'mail', 'items', 0]`. */
export type Path = readonly (string | number)[];

/** The path a node stands for when it only names a place (`a.b[0]."c"`), else null. */
export function plainPath(node: ExpressionNode): Path | null {
  switch (node.type) {
    case 'field':
      return [node.name];
    case 'index':
      return [node.index];
    case 'current':
    case 'root':
      return [];
    case 'sub':
    case 'pipe': {
      const left = plainPath(node.left);
      const right = left === null ? null : plainPath(node.right);
      return left === null || right === null || node.right.type === 'root' ? null : [...left, ...right];
    }
    default:
      return null;
  }
}

/** Writes a path as one would type it in an expression. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `${text === '' ? '' : '.'}${JSON.stringify(part.slice(0, 80))}`;
  }
  return text;
}

/** Why a path leads nowhere: in words, and the nearest name when it looks like a typing mistake. */
export interface MissingPath {
  message: string;
  hint?: string;
}

/**
 * Walks a path over own properties; a null that is there counts as present.
 * @returns null when the path exists, else what is missing and what is there instead.
 */
export function findMissing(root: unknown, path: Path): MissingPath | null {
  let value = root;
  for (const [depth, part] of path.entries()) {
    const here = path.slice(0, depth);
    if (typeof part === 'number') {
      if (!Array.isArray(value)) return describe(path, `${named(here)} is ${article(value)}, not a list`);
      const index = part < 0 ? value.length + part : part;
      if (index < 0 || index >= value.length) {
        return describe(path, `${named(here)} has ${value.length} element${value.length === 1 ? '' : 's'}`);
      }
      value = value[index];
      continue;
    }
    if (!isObject(value)) return describe(path, `${named(here)} is ${article(value)}`);
    if (!Object.hasOwn(value, part)) {
      const keys = Object.keys(value);
      const near = nearest(part, keys);
      const listed = keys.slice(0, 8).map((key) => JSON.stringify(key.slice(0, 40)));
      const has = keys.length === 0 ? 'is empty' : `has ${listed.join(', ')}${keys.length > 8 ? ', …' : ''}`;
      const found = describe(path, `${named(here)} ${has}`);
      if (near !== null)
        found.hint = `Did you mean ${formatPath([...here, near, ...path.slice(depth + 1)])}?`;
      return found;
    }
    value = value[part];
  }
  return null;
}

function describe(path: Path, reason: string): MissingPath {
  return { message: `${formatPath(path)} is missing: ${reason}` };
}

function named(path: Path): string {
  return path.length === 0 ? 'the scope' : formatPath(path);
}

function article(value: unknown): string {
  const type = jsonType(value);
  return type === 'null' ? 'null' : `${type === 'array' || type === 'object' ? 'an' : 'a'} ${type}`;
}
