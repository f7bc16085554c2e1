import type { CallExpression, Class, Node } from 'oxc-parser';
import {
  type CodeFile,
  enclosingClass,
  enclosingFunction,
  type FunctionNode,
  isFunction,
} from '../code-file.js';
import { functionName, functionOf, lastName } from '../names.js';
import type { CodeRule } from '../rule.js';

const ONCE = new Set(['setTimeout', 'setImmediate', 'after', 'runAfter']);
const REPEATED = new Set(['setInterval', 'every', 'runEvery']);

/**
 * A look that arms the next look is over with the first one that does not come to its end (product.md, promise 3).
 * It is fine as a speed-up on top of an interval that does the same.
 */
export const selfChainingTimer: CodeRule = {
  id: 'self-chaining-timer',
  title: 'No timer is armed only by the end of what it started before',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    const calls = callGraph(file);
    const beats = file
      .all('CallExpression')
      .filter((call) => isTimer(call, REPEATED))
      .map((call) => ({ owner: enclosingClass(call), reached: reachable(targetsOf(call, file), calls) }));
    for (const timer of file.all('CallExpression')) {
      if (!isTimer(timer, ONCE)) continue;
      const armedBy = enclosingFunction(timer);
      if (armedBy === null) continue;
      const holders = outerFunctions(armedBy);
      const reached = reachable(targetsOf(timer, file), calls);
      const chained = holders.find((holder) => reached.has(holder));
      if (chained === undefined) continue;
      const owner: Class | null = enclosingClass(timer);
      if (beats.some((beat) => beat.owner === owner && beat.reached.has(chained))) continue;
      const name = functionName(chained) ?? 'this function';
      tell(timer, `${name} is called again only by the timer that ${name} itself arms`, {
        hint: 'One pass that throws or hangs ends it for ever. Let an interval call it as well, and look at what is due',
      });
    }
  },
};

function isTimer(call: CallExpression, names: ReadonlySet<string>): boolean {
  const name = lastName(call.callee);
  if (name === null || !names.has(name)) return false;
  if (call.callee.type === 'Identifier') return name.startsWith('set');
  const receiver = call.callee.type === 'MemberExpression' ? lastName(call.callee.object) : null;
  return receiver !== null && /timers?$|^globalThis$/i.test(receiver);
}

/** The functions a timer calls: its callback, or what an inline callback calls. */
function targetsOf(timer: CallExpression, file: CodeFile): FunctionNode[] {
  return timer.arguments.flatMap((argument) => {
    if (argument.type === 'SpreadElement') return [];
    if (isFunction(argument)) return calledIn(argument, file);
    // `this.wake.bind(this)`
    const bound = argument.type === 'CallExpression' && lastName(argument.callee) === 'bind';
    const meant = bound && argument.callee.type === 'MemberExpression' ? argument.callee.object : argument;
    const found = functionOf(meant);
    return found === null ? [] : [found];
  });
}

/** Every function with those it calls, in callbacks inside it as well; timers do not count as calls. */
function callGraph(file: CodeFile): Map<FunctionNode, FunctionNode[]> {
  return new Map(file.functions.map((one) => [one, calledIn(one, file)]));
}

function calledIn(owner: FunctionNode, file: CodeFile): FunctionNode[] {
  return file.inside(owner).flatMap((node: Node) => {
    if (node.type !== 'CallExpression') return [];
    const found = functionOf(node.callee);
    return found === null ? [] : [found];
  });
}

function reachable(
  from: readonly FunctionNode[],
  calls: ReadonlyMap<FunctionNode, FunctionNode[]>,
): Set<FunctionNode> {
  const seen = new Set<FunctionNode>();
  const open = [...from];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (seen.has(one)) continue;
    seen.add(one);
    open.push(...(calls.get(one) ?? []));
  }
  return seen;
}

/** A function and those it is written in: a timer armed in a callback is armed by the function around it. */
function outerFunctions(from: FunctionNode): FunctionNode[] {
  const found: FunctionNode[] = [];
  for (let at: FunctionNode | null = from; at !== null; at = enclosingFunction(at)) found.push(at);
  return found;
}
