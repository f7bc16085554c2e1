import type { CallExpression, Node } from 'oxc-parser';
import { type CodeFile, type FunctionNode, isFunction } from '../code-file.js';
import { type Contracts, isPromiseType } from '../contracts.js';
import { functionOf, importOf, isGlobal, keyName, lastName, memberPath, resolve } from '../names.js';
import type { CodeRule } from '../rule.js';
import { calledMethod } from './scheduler-contract.js';

const GLOBALS = new Set([
  'fetch',
  'Promise.all',
  'Promise.allSettled',
  'Promise.race',
  'Promise.any',
  'Promise.reject',
]);
/** Methods that call what they are given and throw its promise away. */
const IGNORING = new Set(['forEach', 'map', 'filter', 'some', 'every', 'find', 'reduce', 'sort']);

/** A promise nobody waits for fails where nobody looks, and ends when nobody expects it. */
export const floatingPromise: CodeRule = {
  id: 'floating-promise',
  title: 'Every promise is awaited, returned, kept, or given up with void',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell, contracts) {
    for (const statement of file.all('ExpressionStatement')) {
      for (const { node, call } of thrownAway(statement.expression)) {
        const why = whyPromise(call, contracts);
        if (why === null) continue;
        tell(node, `The promise of ${calleeText(call, file)} is not waited for${why}`, {
          hint: 'Write await; or void with a .catch(…) that says what happens when it fails',
        });
      }
    }
    for (const call of file.all('CallExpression')) checkCallback(call, tell);
  },
};

/** The calls whose value a statement throws away, inside `&&`, `||`, `?:` and commas as well. */
function thrownAway(node: Node): { node: Node; call: CallExpression }[] {
  switch (node.type) {
    case 'ChainExpression':
      return thrownAway(node.expression);
    case 'LogicalExpression':
      return thrownAway(node.right);
    case 'ConditionalExpression':
      return [...thrownAway(node.consequent), ...thrownAway(node.alternate)];
    case 'SequenceExpression':
      return node.expressions.flatMap(thrownAway);
    case 'CallExpression': {
      const method = node.callee.type === 'MemberExpression' ? keyName(node.callee.property) : null;
      // `.then(a, b)` and `.catch(f)` say what happens when it fails; `.then(a)` and `.finally(f)` do not.
      if (method === 'catch' && node.arguments.length > 0) return [];
      if (method === 'then' && node.arguments.length > 1) return [];
      if ((method === 'then' || method === 'finally') && node.callee.type === 'MemberExpression') {
        const inner = thrownAway(node.callee.object).at(-1);
        return [{ node, call: inner?.call ?? node }];
      }
      return [{ node, call: node }];
    }
    default:
      return [];
  }
}

function whyPromise(call: CallExpression, contracts: Contracts): string | null {
  const method = call.callee.type === 'MemberExpression' ? keyName(call.callee.property) : null;
  if (method === 'then') return '';
  const own = functionOf(call.callee);
  if (own !== null) return isAsync(own) ? '' : null;
  const path = memberPath(call.callee);
  if (path !== null && GLOBALS.has(path.join('.')) && isGlobal(path[0] as string, call)) return '';
  const contracted = calledMethod(call.callee, contracts);
  if (contracted?.isAsync === true) return `: the contract says ${contracted.returns}`;
  const imported = path?.length === 1 ? importOf(resolve(path[0] as string, call)) : null;
  if (imported?.module === 'node:timers/promises' || imported?.module === 'node:fs/promises') return '';
  return null;
}

function isAsync(one: FunctionNode): boolean {
  if (one.generator) return false;
  return one.async || (one.returnType != null && isPromiseType(one.returnType.typeAnnotation));
}

/** `items.forEach(async …)`; `map` gives the promises back, so that only a thrown away one is at fault. */
function checkCallback(
  call: CallExpression,
  tell: (node: Node, message: string, more: { hint: string }) => void,
): void {
  const method = lastName(call.callee);
  const callback = call.arguments[0];
  if (method === null || !IGNORING.has(method) || callback === undefined || !isFunction(callback)) return;
  if (!callback.async || call.callee.type !== 'MemberExpression') return;
  if (method === 'map' && call.parent?.type !== 'ExpressionStatement') return;
  tell(callback, `${method} does not wait for an async function`, {
    hint: 'Use for … of with await, or await Promise.all(items.map(…))',
  });
}

function calleeText(call: CallExpression, file: CodeFile): string {
  const text = file.textOf(call.callee).replace(/\s+/g, ' ');
  return `${text.length > 60 ? `${text.slice(0, 60)}…` : text}(…)`;
}
