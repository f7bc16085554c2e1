import type { Argument, Node } from 'oxc-parser';
import { ancestors } from '../code-file.js';
import { isGlobal, keyName, lastName, resolve } from '../names.js';
import type { CodeRule } from '../rule.js';

const LEVELS = new Set(['error', 'fatal']);
const ERROR_KEYS = new Set(['err', 'error', 'cause', 'reason']);
const ID = /(^|_)(id|ids)$|(Id|Ids)$|^traceparent$/;

/** A line about an error is found by the task, run or pass it belongs to, or it is not found. */
export const errorContext: CodeRule = {
  id: 'error-context',
  title: 'Errors are logged with the error and the ids it belongs to',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    for (const call of file.all('CallExpression')) {
      const { callee } = call;
      if (callee.type !== 'MemberExpression') continue;
      const level = keyName(callee.property, callee.computed);
      const receiver = lastName(callee.object) ?? '';
      if (level === null) continue;
      if (receiver === 'console' && isGlobal('console', call)) {
        tell(callee, `console.${level}(…) writes a line that nobody can search`, {
          hint: 'Use the logger that is handed in: logger.error({ err: error, task_id }, "what happened")',
        });
        continue;
      }
      if (!/^#?(log|logger)$|(Log|Logger)$/.test(receiver) || !isErrorLine(level, call.arguments[0]))
        continue;
      const keys = keysOf(call.arguments[0]);
      // What is passed as a whole can not be seen into.
      if (keys === null && call.arguments[0]?.type !== 'Literal' && call.arguments.length > 1) continue;
      const known = keys ?? [];
      if (isInCatch(call) && !known.some((key) => ERROR_KEYS.has(key))) {
        tell(call, 'An error is logged without the error itself', { hint: 'Begin with { err: error, … }' });
      }
      if (!known.some((key) => ID.test(key)) && !isChildWithId(callee.object)) {
        tell(call, 'An error is logged without an id to find it by', {
          hint: 'Add the ids it concerns: task_id, run_id, pass_id, trace_id; or take a logger.child({ … }) that has them',
        });
      }
    }
  },
};

function isErrorLine(level: string, fields: Argument | undefined): boolean {
  return LEVELS.has(level) || (level === 'warn' && (keysOf(fields) ?? []).includes('err'));
}

/** The keys of an object that is written out; null for anything else. A spread counts as whatever it may hold. */
function keysOf(fields: Node | undefined): string[] | null {
  if (fields?.type !== 'ObjectExpression') return null;
  return fields.properties.flatMap((property) =>
    property.type === 'Property' ? (keyName(property.key, property.computed) ?? []) : ['err', 'any_id'],
  );
}

function isInCatch(node: Node): boolean {
  for (const one of ancestors(node)) {
    if (one.type === 'CatchClause') return one.param !== null;
    if (one.type === 'MethodDefinition' || one.type === 'FunctionDeclaration') return false;
  }
  return false;
}

/** `const log = logger.child({ pass_id })`. */
function isChildWithId(receiver: Node): boolean {
  const binding = receiver.type === 'Identifier' ? resolve(receiver.name, receiver) : null;
  const made = receiver.type === 'CallExpression' ? receiver : binding?.node;
  const call = made?.type === 'VariableDeclarator' ? made.init : made;
  if (call?.type !== 'CallExpression' || lastName(call.callee) !== 'child') return false;
  return (keysOf(call.arguments[0]) ?? []).some((key) => ID.test(key));
}
