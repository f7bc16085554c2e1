import type { Node } from 'oxc-parser';
import type { RecurrenceSpec } from '../../../domain/recurrence/index.js';
import { SCHEDULE_KINDS } from '../../../domain/schedule.js';
import type { CodeFile } from '../code-file.js';
import { annotationOf } from '../contracts.js';
import { lastName, memberPath, resolve } from '../names.js';
import type { CodeRule } from '../rule.js';

const KINDS: ReadonlySet<string> = new Set(SCHEDULE_KINDS);
const TIMED = ['cron', 'rrule', 'once'] as const satisfies readonly RecurrenceSpec['kind'][];
/** Types whose `kind` is a timed one only. */
const TIMED_TYPES = new Set(['TimedSchedule', 'RecurrenceSpec', 'OccurrencesQuery']);

/** A kind that falls through a dispatch is a task that silently never runs. */
export const exhaustiveKinds: CodeRule = {
  id: 'exhaustive-kinds',
  title: 'Whoever tells schedule kinds apart handles every one',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell) {
    for (const node of file.all('SwitchStatement')) {
      if (lastName(node.discriminant) !== 'kind') continue;
      const handled = node.cases.flatMap(({ test }) => (test === null ? [] : [literalOf(test)]));
      const missing = missingOf(handled, node.discriminant);
      const fallback = node.cases.find(({ test }) => test === null);
      if (missing.length === 0 || (fallback !== undefined && refuses(fallback.consequent, file))) continue;
      tell(
        { start: node.start, end: node.discriminant.end + 1 },
        messageFor(missing, fallback !== undefined),
        {
          hint: HINT,
        },
      );
    }
    for (const node of file.all('IfStatement')) {
      if (node.parent?.type === 'IfStatement' && node.parent.alternate === node) continue;
      const chain = chainOf(node);
      if (chain === null) continue;
      const missing = missingOf(chain.handled, chain.subject);
      const { last } = chain;
      if (missing.length === 0 || (last !== null && refuses([last], file))) continue;
      tell({ start: node.start, end: node.test.end + 1 }, messageFor(missing, last !== null), { hint: HINT });
    }
  },
};

const HINT =
  'Handle each kind, and let a default throw: a kind that is added later must not be lost in silence';

function messageFor(missing: readonly string[], hasDefault: boolean): string {
  const kinds = missing.join(', ');
  return hasDefault
    ? `The schedule kinds ${kinds} fall into a default that takes whatever comes`
    : `The schedule kinds ${kinds} are not handled`;
}

/** The kinds a dispatch leaves out; none when it is not about schedule kinds. */
function missingOf(handled: readonly (string | null)[], subject: Node): string[] {
  const known = handled.filter((kind) => kind !== null);
  if (known.length < 2 || known.length < handled.length || !known.every((kind) => KINDS.has(kind))) return [];
  return wantedFor(subject).filter((kind) => !known.includes(kind));
}

/** What `kind` may be there: all of it, unless the type of the schedule says that it names instants by itself. */
function wantedFor(subject: Node): readonly string[] {
  const root = memberPath(subject)?.[0];
  const binding = root === undefined ? null : resolve(root, subject);
  const declared = binding?.node.type === 'VariableDeclarator' ? binding.node.id : binding?.node;
  const type = declared === undefined ? null : annotationOf(declared);
  const name = type?.type === 'TSTypeReference' ? memberPath(type.typeName)?.at(-1) : undefined;
  return name !== undefined && TIMED_TYPES.has(name) ? TIMED : SCHEDULE_KINDS;
}

/** `if (s.kind === 'cron') … else if (s.kind === 'rrule') …`, with what stands in the last else. */
function chainOf(node: Node): { handled: (string | null)[]; subject: Node; last: Node | null } | null {
  const handled: (string | null)[] = [];
  let subject: Node | null = null;
  let at: Node | null = node;
  while (at?.type === 'IfStatement') {
    const tested = testedKinds(at.test);
    if (tested === null) return null;
    subject ??= tested.subject;
    handled.push(...tested.kinds);
    at = at.alternate;
  }
  return subject === null ? null : { handled, subject, last: at };
}

function testedKinds(test: Node): { kinds: (string | null)[]; subject: Node } | null {
  if (test.type === 'LogicalExpression' && test.operator === '||') {
    const [left, right] = [testedKinds(test.left), testedKinds(test.right)];
    return left && right ? { kinds: [...left.kinds, ...right.kinds], subject: left.subject } : null;
  }
  if (test.type !== 'BinaryExpression' || !['===', '=='].includes(test.operator)) return null;
  return lastName(test.left) === 'kind' ? { kinds: [literalOf(test.right)], subject: test.left } : null;
}

function literalOf(node: Node): string | null {
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : null;
}

/** A default that throws, or that the compiler proves to be impossible. */
function refuses(statements: readonly Node[], file: CodeFile): boolean {
  return statements.some((statement) =>
    [statement, ...file.insideWithoutFunctions(statement)].some(
      (node) =>
        node.type === 'ThrowStatement' ||
        node.type === 'TSNeverKeyword' ||
        (node.type === 'CallExpression' && /never|unreachable|exhaust/i.test(lastName(node.callee) ?? '')),
    ),
  );
}
