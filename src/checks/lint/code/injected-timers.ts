import type { Node } from 'oxc-parser';
import { ancestors } from '../code-file.js';
import { importOf, memberPath, resolve } from '../names.js';
import type { CodeRule } from '../rule.js';

/** setImmediate gives way to others and lets no time pass. */
const TIMERS = new Set(['setTimeout', 'setInterval']);
const WAITS = /^(setTimeout|setInterval|wait)$/;
const MODULES = /^(node:)?timers(\/promises)?$/;

/** Waiting is time as well: a bare timer keeps a simulated week as long as a week. */
export const injectedTimers: CodeRule = {
  id: 'injected-timers',
  title: 'Waiting is done with timers that are handed in',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    for (const call of file.all('CallExpression')) {
      const path = memberPath(call.callee);
      if (path === null) continue;
      const binding = resolve(path[0] as string, call);
      const imported = importOf(binding);
      const isBare =
        imported === null
          ? binding === null &&
            TIMERS.has((path[0] === 'globalThis' ? path[1] : path.length === 1 ? path[0] : undefined) ?? '')
          : MODULES.test(imported.module) &&
            WAITS.test(path.length > 1 ? (path.at(-1) ?? '') : imported.name);
      if (!isBare || isInTimers(call)) continue;
      tell(call.callee, `${path.join('.')}(…) waits on the timers of the machine`, {
        hint: 'Take Timers beside the Clock and call timers.setTimeout or timers.setInterval',
      });
    }
  },
};

/** An object that is itself the Timers is where they come from. */
function isInTimers(node: Node): boolean {
  for (const at of ancestors(node)) {
    if (at.type === 'ClassDeclaration' || at.type === 'ClassExpression') {
      if (at.implements?.some(({ expression }) => memberPath(expression)?.at(-1) === 'Timers')) return true;
    }
    if (at.type !== 'VariableDeclarator' || at.id.type !== 'Identifier') continue;
    const type = at.id.typeAnnotation?.typeAnnotation;
    if (type?.type === 'TSTypeReference' && memberPath(type.typeName)?.at(-1) === 'Timers') return true;
  }
  return false;
}
