import type { BlockStatement, CallExpression, CatchClause, Node } from 'oxc-parser';
import { type CodeFile, type FunctionNode, isFunction } from '../code-file.js';
import { keyName } from '../names.js';
import type { CodeRule } from '../rule.js';

/** What goes wrong unseen can not be explained later; every occurrence ends as a row that says why. */
export const swallowedError: CodeRule = {
  id: 'swallowed-error',
  title: 'No error is dropped',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    for (const clause of file.all('CatchClause')) {
      const why = whySwallowed(clause, file);
      if (why !== null) tell(catchSpan(clause), why, { hint: HINT });
    }
    for (const call of file.all('CallExpression')) {
      if (call.callee.type !== 'MemberExpression' || keyName(call.callee.property) !== 'catch') continue;
      const handler = call.arguments[0];
      if (handler === undefined)
        tell(call.callee.property, '.catch() without a handler drops the error', { hint: HINT });
      else if (isFunction(handler) && dropsError(handler, file) && !isOnlyAwaited(call)) {
        tell(handler, '.catch(…) drops the error', { hint: HINT });
      }
    }
  },
};

const HINT = 'Log it with the ids it concerns, record it as the reason, or throw it on';

/** The head of the clause: a finding about a catch should not underline a page. */
function catchSpan(clause: CatchClause): { start: number; end: number } {
  return { start: clause.start, end: clause.body.start + 1 };
}

function whySwallowed(clause: CatchClause, file: CodeFile): string | null {
  const { param, body } = clause;
  if (body.body.length === 0) return 'An empty catch swallows the error';
  if (param !== null && usesAny(bindingNames(param, file), body, file)) return null;
  if (saysSo(body, file)) return null;
  if (param === null && isAlternative(clause, file)) return null;
  return 'The catch drops the error: it is neither looked at, nor recorded, nor thrown on';
}

/** `before.catch(() => {}).then(next)`: waits for a promise that somebody else holds, whose error is theirs. */
function isOnlyAwaited({ callee, parent }: CallExpression): boolean {
  const object = callee.type === 'MemberExpression' ? callee.object : null;
  const isKept = object?.type === 'Identifier' || object?.type === 'MemberExpression';
  const then = parent?.type === 'MemberExpression' ? keyName(parent.property) : null;
  return isKept && (parent?.type === 'AwaitExpression' || then === 'then' || then === 'finally');
}

function dropsError(handler: FunctionNode, file: CodeFile): boolean {
  const [param] = handler.params;
  if (handler.body === null) return false;
  if (param !== undefined && usesAny(bindingNames(param, file), handler.body, file)) return false;
  if (handler.body.type !== 'BlockStatement') return isNothing(handler.body);
  return handler.body.body.length === 0 || !saysSo(handler.body, file);
}

/** Throws something else, or answers with a value that tells the failure apart. */
function saysSo(body: Node, file: CodeFile): boolean {
  return file.insideWithoutFunctions(body).some((node) => {
    if (node.type === 'ThrowStatement') return true;
    return node.type === 'ReturnStatement' && node.argument !== null && !isNothing(node.argument);
  });
}

/**
 * Something was asked, and the answer is no: `try { accessSync(path); return true } catch { return false }`. Or one thing
 * was tried, and there is another way: `try { linkSync(a, b) } catch { copyFileSync(a, b) }`. Without a binding the
 * clause says that the reason does not matter.
 */
function isAlternative({ parent, body }: CatchClause, file: CodeFile): boolean {
  if (parent?.type !== 'TryStatement') return false;
  const tried = file.insideWithoutFunctions(parent.block);
  if (tried.some(({ type }) => type === 'AwaitExpression')) return false;
  const answers = (block: BlockStatement) => {
    const last = block.body.at(-1);
    return last?.type === 'ReturnStatement' && last.argument !== null;
  };
  if (answers(parent.block) && answers(body)) return true;
  const acts = file.insideWithoutFunctions(body).some(({ type }) => type === 'CallExpression');
  return parent.block.body.length === 1 && (acts || answers(body));
}

function isNothing(node: Node): boolean {
  switch (node.type) {
    case 'Identifier':
      return node.name === 'undefined';
    case 'Literal':
      return node.value === null || node.value === false;
    case 'ArrayExpression':
      return node.elements.length === 0;
    case 'ObjectExpression':
      return node.properties.length === 0;
    case 'UnaryExpression':
      return node.operator === 'void';
    default:
      return false;
  }
}

function bindingNames(pattern: Node, file: CodeFile): Set<string> {
  const inside = [pattern, ...file.inside(pattern)];
  return new Set(inside.flatMap((node) => (node.type === 'Identifier' ? [node.name] : [])));
}

function usesAny(names: ReadonlySet<string>, body: Node, file: CodeFile): boolean {
  return [body, ...file.inside(body)].some((node) => {
    if (node.type !== 'Identifier' || !names.has(node.name)) return false;
    const { parent } = node;
    const isMember = parent?.type === 'MemberExpression' && parent.property === node && !parent.computed;
    const isKey = parent?.type === 'Property' && parent.key === node && !parent.computed && !parent.shorthand;
    return !isMember && !isKey;
  });
}
