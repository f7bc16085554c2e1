import type { Node } from 'oxc-parser';
import { ancestors } from '../code-file.js';
import type { Edit } from '../finding.js';
import { importOf, isGlobal, memberPath, resolve } from '../names.js';
import type { CodeRule } from '../rule.js';

/** Calls that read the wall clock, and those that read one which only grows. */
const WALL = new Set(['Date.now', 'Temporal.Now.instant', 'Temporal.Now.zonedDateTimeISO']);
const WALL_LIBRARIES = new Set(['DateTime.now', 'DateTime.local', 'DateTime.utc']);
const MONOTONIC = new Set(['performance.now', 'process.hrtime', 'process.hrtime.bigint', 'process.uptime']);

/** Time is a parameter (product.md, promise 6): code that asks the machine for it can not be simulated. */
export const injectedClock: CodeRule = {
  id: 'injected-clock',
  title: 'Time comes from a clock that is handed in',
  kind: 'code',
  severity: 'error',
  fixable: true,
  check(file, tell) {
    for (const node of [...file.all('CallExpression'), ...file.all('NewExpression')]) {
      const reading = readingOf(node);
      if (reading === null || isInClock(node)) continue;
      const written = file.textOf(node);
      const method = reading === 'wall' ? 'now' : 'monotonic';
      tell(node, `${written} asks the machine for the time`, {
        hint: `Take a Clock and call clock.${method}(), so that a test or a simulation can say what time it is`,
        ...fixOf(node, method),
      });
    }
  },
};

function readingOf(node: Node): 'wall' | 'monotonic' | null {
  if (node.type === 'NewExpression') {
    const isNow = node.callee.type === 'Identifier' && node.callee.name === 'Date' && !node.arguments.length;
    return isNow && isGlobal('Date', node) ? 'wall' : null;
  }
  if (node.type !== 'CallExpression') return null;
  const path = memberPath(node.callee);
  if (path === null) return null;
  const name = path[0] === 'globalThis' ? path.slice(1).join('.') : path.join('.');
  const root = path[0] as string;
  const binding = resolve(root, node);
  if (name === 'Date') return binding === null ? 'wall' : null;
  if (WALL.has(name)) return binding === null ? 'wall' : null;
  // With arguments, DateTime.local() and utc() say which time is meant.
  if (WALL_LIBRARIES.has(name))
    return importOf(binding)?.module === 'luxon' && (name === 'DateTime.now' || node.arguments.length === 0)
      ? 'wall'
      : null;
  if (!MONOTONIC.has(name)) return null;
  const isNode = binding === null || (importOf(binding)?.module ?? '').startsWith('node:');
  return isNode ? 'monotonic' : null;
}

/** A class or object that is itself a Clock is where the time comes from. */
function isInClock(node: Node): boolean {
  for (const one of ancestors(node)) {
    if (one.type === 'ClassDeclaration' || one.type === 'ClassExpression') {
      if (one.implements?.some(({ expression }) => memberPath(expression)?.at(-1) === 'Clock')) return true;
    }
    const type =
      one.type === 'VariableDeclarator' && one.id.type === 'Identifier'
        ? one.id.typeAnnotation?.typeAnnotation
        : one.type === 'TSSatisfiesExpression'
          ? one.typeAnnotation
          : undefined;
    if (type?.type === 'TSTypeReference' && memberPath(type.typeName)?.at(-1) === 'Clock') return true;
  }
  return false;
}

/** Where something called `clock` is at hand, it is used instead; `Date.now()` and `performance.now()` give the same number. */
function fixOf(node: Node, method: string): { fix?: Edit[] } {
  if (node.type !== 'CallExpression' || node.arguments.length > 0) return {};
  const written = memberPath(node.callee)?.join('.');
  if (written !== 'Date.now' && written !== 'performance.now') return {};
  const binding = resolve('clock', node);
  const isClock = binding?.kind === 'parameter' || binding?.kind === 'variable';
  return isClock ? { fix: [{ start: node.start, end: node.end, text: `clock.${method}()` }] } : {};
}
