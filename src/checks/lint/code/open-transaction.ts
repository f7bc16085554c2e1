import type { CallExpression, Node } from 'oxc-parser';
import type { CodeFile, FunctionNode } from '../code-file.js';
import { functionName, lastName } from '../names.js';
import type { CodeRule } from '../rule.js';
import { flowOf, type Step } from './flow.js';

const OPENS = /^\s*(BEGIN|START TRANSACTION|SAVEPOINT)\b/i;
const CLOSES = /^\s*(COMMIT|END|RELEASE|ROLLBACK(?!\s+TO\b))\b/i;
const RUNS = new Set(['exec', 'execute', 'query', 'run', 'get', 'all']);

/** A transaction that is left open holds its locks until the process ends, and every writer after it waits. */
export const openTransaction: CodeRule = {
  id: 'open-transaction',
  title: 'A transaction that is begun is ended on every path',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    const prepared = preparedStatements(file);
    for (const owner of file.functions) {
      const { body } = owner;
      // A function that is called begin is there to leave it open; whoever calls it is looked at.
      if (body?.type !== 'BlockStatement' || /^#?begin|^#?startTransaction$/i.test(functionName(owner) ?? ''))
        continue;
      const opener = file
        .insideWithoutFunctions(body)
        .find((node) => node.type === 'CallExpression' && stepOf(node, prepared) === 'opens');
      if (opener === undefined) continue;
      // An error that leaves through a savepoint ends the transaction around it, and the savepoint with it.
      const isPart = /SAVEPOINT/i.test(file.textOf(opener));
      const left = flowOf(body, (call) => stepOf(call, prepared), file).find(
        ({ state, how }) => state === 'open' && !(isPart && how === 'throw'),
      );
      if (left === undefined) continue;
      tell(opener, `The transaction is left open ${whereLeft(left, owner, file)}`, {
        hint: 'Commit at the end of a try, and roll back in its catch or finally',
      });
    }
  },
};

function whereLeft(left: { how: string; node: Node }, owner: FunctionNode, file: CodeFile): string {
  const { line } = file.source.position(left.how === 'end' ? owner.end - 1 : left.node.start);
  if (left.how === 'end') return `at the end of the function (line ${line})`;
  if (left.how === 'return') return `by the return of line ${line}`;
  return `when line ${line} throws`;
}

/** Names of members and variables that hold a prepared BEGIN, COMMIT or ROLLBACK. */
function preparedStatements(file: CodeFile): Map<string, Step> {
  const found = new Map<string, Step>();
  const note = (target: Node | null, value: Node | null): void => {
    const name = target === null ? null : lastName(target);
    const step = value?.type === 'CallExpression' ? stepOfText(value) : null;
    if (name !== null && step !== null && !RUNS.has(lastName((value as CallExpression).callee) ?? ''))
      found.set(name, step);
  };
  for (const node of file.all('AssignmentExpression')) note(node.left, node.right);
  for (const node of file.all('VariableDeclarator')) note(node.id, node.init);
  for (const node of file.all('PropertyDefinition')) {
    const key = node.key.type === 'PrivateIdentifier' ? `#${node.key.name}` : lastName(node.key);
    const step = node.value?.type === 'CallExpression' ? stepOfText(node.value) : null;
    if (key !== null && step !== null) found.set(key, step);
  }
  return found;
}

/** What a call does to a transaction. */
function stepOf(call: Node, prepared: ReadonlyMap<string, Step>): Step | null {
  if (call.type !== 'CallExpression') return null;
  const { callee } = call;
  const name = lastName(callee);
  if (name === null) return null;
  if (/^#?(begin|beginTransaction|startTransaction)$/i.test(name)) return 'opens';
  if (/^#?(commit|rollback)(Transaction)?$/i.test(name)) return 'closes';
  if (callee.type !== 'MemberExpression') return null;
  // Closing the connection ends what is open on it.
  if (name === 'close' && call.arguments.length === 0) return 'closes';
  // Preparing a statement of the transaction is part of it.
  if (!RUNS.has(name)) return stepOfText(call) === null ? null : 'keeps';
  const own = stepOfText(call);
  if (own !== null) return own;
  if (callee.object.type === 'CallExpression') return stepOfText(callee.object);
  return prepared.get(lastName(callee.object) ?? '') ?? null;
}

function stepOfText(call: CallExpression): Step | null {
  const [first] = call.arguments;
  return first === undefined ? null : stepOfStatement(first);
}

/** What an SQL statement that is written out does; of two between which is chosen, what both do. */
function stepOfStatement(node: Node): Step | null {
  if (node.type === 'ConditionalExpression') {
    const step = stepOfStatement(node.consequent);
    return step === stepOfStatement(node.alternate) ? step : null;
  }
  const raw = node.type === 'TemplateLiteral' ? node.quasis[0]?.value.raw : null;
  const text = node.type === 'Literal' && typeof node.value === 'string' ? node.value : (raw ?? '');
  if (OPENS.test(text)) return 'opens';
  return CLOSES.test(text) ? 'closes' : /^\s*ROLLBACK\s+TO\b/i.test(text) ? 'keeps' : null;
}
