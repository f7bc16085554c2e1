import type { Class, Node } from 'oxc-parser';
import { ancestors, enclosingClass, type FunctionNode, isFunction } from './code-file.js';

/** The name of a property or member: `wake`, `#pass`, `'a b'`; null when it is computed. */
export function keyName(key: Node, computed = false): string | null {
  if (key.type === 'PrivateIdentifier') return `#${key.name}`;
  if (key.type === 'Identifier') return computed ? null : key.name;
  return key.type === 'Literal' && typeof key.value === 'string' ? key.value : null;
}

/** `a.b.c` of nothing but names, as `['a', 'b', 'c']`; `this` and `super` are names. Null for anything else. */
export function memberPath(node: Node): string[] | null {
  switch (node.type) {
    case 'Identifier':
      return [node.name];
    case 'ThisExpression':
      return ['this'];
    case 'Super':
      return ['super'];
    case 'ChainExpression':
    case 'TSNonNullExpression':
      return memberPath(node.expression);
    case 'MemberExpression': {
      const object = memberPath(node.object);
      const name = keyName(node.property, node.computed);
      return object === null || name === null ? null : [...object, name];
    }
    default:
      return null;
  }
}

/** The last name of what is called or read: `store.lease` is `lease`. */
export function lastName(node: Node): string | null {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'ChainExpression' || node.type === 'TSNonNullExpression')
    return lastName(node.expression);
  return node.type === 'MemberExpression' ? keyName(node.property, node.computed) : null;
}

/** Where a name comes from. */
export interface Binding {
  kind: 'parameter' | 'variable' | 'function' | 'class' | 'import' | 'catch';
  /** The parameter, declarator, function, class or import specifier. */
  node: Node;
  identifier: Node;
}

/** What a name means at a place of a file; null when nothing of the file declares it: a global. */
export function resolve(name: string, from: Node): Binding | null {
  for (const scope of ancestors(from)) {
    const found = declaredIn(scope, name);
    if (found !== null) return found;
  }
  return null;
}

/** Whether a name is a global of the runtime at that place. */
export function isGlobal(name: string, from: Node): boolean {
  return resolve(name, from) === null;
}

function declaredIn(scope: Node, name: string): Binding | null {
  switch (scope.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      for (const parameter of scope.params) {
        const identifier = boundIn(parameter, name);
        if (identifier !== null) return { kind: 'parameter', node: parameter, identifier };
      }
      return scope.type === 'FunctionExpression' && scope.id?.name === name
        ? { kind: 'function', node: scope, identifier: scope.id }
        : null;
    case 'Program':
    case 'BlockStatement':
    case 'StaticBlock':
      return declaredAmong(scope.body, name);
    case 'SwitchStatement':
      return declaredAmong(
        scope.cases.flatMap(({ consequent }) => consequent),
        name,
      );
    case 'ForStatement':
      return scope.init === null ? null : declaredAmong([scope.init], name);
    case 'ForInStatement':
    case 'ForOfStatement':
      return declaredAmong([scope.left], name);
    case 'CatchClause': {
      const identifier = scope.param === null ? null : boundIn(scope.param, name);
      return identifier === null ? null : { kind: 'catch', node: scope, identifier };
    }
    default:
      return null;
  }
}

function declaredAmong(statements: readonly Node[], name: string): Binding | null {
  for (const statement of statements) {
    const node =
      (statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration') &&
      statement.declaration !== null
        ? statement.declaration
        : statement;
    if (node.type === 'VariableDeclaration') {
      for (const declarator of node.declarations) {
        const identifier = boundIn(declarator.id, name);
        if (identifier !== null) return { kind: 'variable', node: declarator, identifier };
      }
    } else if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') {
      if (node.id?.name === name) {
        const kind = node.type === 'ClassDeclaration' ? 'class' : 'function';
        return { kind, node, identifier: node.id };
      }
    } else if (node.type === 'ImportDeclaration') {
      for (const specifier of node.specifiers) {
        if (specifier.local.name === name)
          return { kind: 'import', node: specifier, identifier: specifier.local };
      }
    }
  }
  return null;
}

/** The identifier of that name which a pattern binds. */
function boundIn(pattern: Node, name: string): Node | null {
  switch (pattern.type) {
    case 'Identifier':
      return pattern.name === name ? pattern : null;
    case 'AssignmentPattern':
      return boundIn(pattern.left, name);
    case 'RestElement':
      return boundIn(pattern.argument, name);
    case 'TSParameterProperty':
      return boundIn(pattern.parameter, name);
    case 'ArrayPattern':
      return firstBound(pattern.elements, name);
    case 'ObjectPattern':
      return firstBound(
        pattern.properties.map((one) => (one.type === 'Property' ? one.value : one)),
        name,
      );
    default:
      return null;
  }
}

function firstBound(patterns: readonly (Node | null)[], name: string): Node | null {
  for (const pattern of patterns) {
    const found = pattern === null ? null : boundIn(pattern, name);
    if (found !== null) return found;
  }
  return null;
}

/** The module and the exported name an import specifier names; null for anything else. */
export function importOf(binding: Binding | null): { module: string; name: string } | null {
  if (binding?.kind !== 'import') return null;
  const { node } = binding;
  const declaration = node.parent;
  if (declaration?.type !== 'ImportDeclaration') return null;
  const name =
    node.type === 'ImportSpecifier'
      ? (keyName(node.imported) ?? 'default')
      : node.type === 'ImportDefaultSpecifier'
        ? 'default'
        : '*';
  return { module: declaration.source.value, name };
}

/** A member of a class by its name, `#` included. */
export function memberOf(owner: Class, name: string) {
  for (const member of owner.body.body) {
    if (
      (member.type === 'MethodDefinition' ||
        member.type === 'PropertyDefinition' ||
        member.type === 'TSAbstractMethodDefinition') &&
      keyName(member.key, member.computed) === name
    )
      return member;
  }
  return null;
}

/** The function of the same file that is meant by an expression: `name`, `this.name`, `this.#name`, or a function itself. */
export function functionOf(node: Node): FunctionNode | null {
  if (isFunction(node)) return node;
  if (node.type === 'Identifier') {
    const binding = resolve(node.name, node);
    if (binding?.kind === 'function') return isFunction(binding.node) ? binding.node : null;
    if (binding?.kind !== 'variable' || binding.node.type !== 'VariableDeclarator') return null;
    const { init } = binding.node;
    return init !== null && isFunction(init) ? init : null;
  }
  const path = memberPath(node);
  if (path?.length !== 2 || path[0] !== 'this') return null;
  const owner = enclosingClass(node);
  const member = owner === null ? null : memberOf(owner, path[1] as string);
  if (member?.type === 'MethodDefinition' || member?.type === 'PropertyDefinition') {
    return member.value !== null && isFunction(member.value) ? member.value : null;
  }
  return null;
}

/** What a function is called where it is defined: of its declaration, method, variable or property. */
export function functionName(node: FunctionNode): string | null {
  if (node.id !== null) return node.id.name;
  const { parent } = node;
  switch (parent?.type) {
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'Property':
      return keyName(parent.key, parent.computed);
    case 'VariableDeclarator':
      return parent.id.type === 'Identifier' ? parent.id.name : null;
    case 'AssignmentExpression':
      return lastName(parent.left);
    default:
      return null;
  }
}
