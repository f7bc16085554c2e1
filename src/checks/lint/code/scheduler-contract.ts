import type { Class, Node } from 'oxc-parser';
import { type CodeFile, type FunctionNode, isFunction } from '../code-file.js';
import {
  annotationOf,
  type Contract,
  type ContractMethod,
  type Contracts,
  isPromiseType,
} from '../contracts.js';
import { functionOf, keyName, lastName, memberOf, memberPath } from '../names.js';
import type { CodeRule, Tell } from '../rule.js';

/** A class that is named so is taken at its word, also when it does not say `implements`. */
const SCHEDULER = 'SchedulerContract';

/** Required methods, their parameters and types, async where the contract says so; the contracts are read from pao's own sources. */
export const schedulerContract: CodeRule = {
  id: 'scheduler-contract',
  title: 'What implements a contract of the scheduler keeps it',
  kind: 'code',
  severity: 'error',
  fixable: false,
  check(file, tell, contracts) {
    for (const owner of file.classes) {
      for (const contract of claimedBy(owner, file, contracts)) checkClass(owner, contract, file, tell);
    }
    for (const call of file.all('CallExpression')) {
      const method = calledMethod(call.callee, contracts);
      if (method !== null) checkCallbacks(call.arguments, method, tell);
    }
  },
};

function claimedBy(owner: Class, file: CodeFile, contracts: Contracts): Contract[] {
  const named = (owner.implements ?? []).flatMap(({ expression }) => {
    const name = memberPath(expression)?.at(-1);
    // An interface of the same file is another one of that name: the compiler looks after it.
    const isOwn = file.all('TSInterfaceDeclaration').some(({ id }) => id.name === name);
    return name === undefined || isOwn ? [] : (contracts.get(name) ?? []);
  });
  const scheduler = contracts.get(SCHEDULER);
  const isNamedSo =
    owner.id !== null && owner.id.name.endsWith('Scheduler') && owner.implements?.length === 0;
  return isNamedSo && scheduler !== undefined ? [...named, scheduler] : named;
}

function checkClass(owner: Class, contract: Contract, file: CodeFile, tell: Tell): void {
  const head = owner.id ?? owner.body;
  const span = { start: head.start, end: owner.id === null ? head.start + 1 : head.end };
  const name = owner.id?.name ?? 'The class';
  // What an unknown base class has is not known either.
  const mayInherit = owner.superClass !== null || owner.abstract === true;
  const isThere = (one: { name: string; isOptional: boolean }) =>
    one.isOptional || mayInherit || hasProperty(owner, one.name);
  const missing = [
    ...contract.properties.filter((one) => !isThere(one)).map((one) => one.name),
    ...contract.methods.filter((one) => !isThere(one)).map(signatureOf),
  ];
  if (missing.length > 0) {
    const names = missing.map((one) => one.replace(/^async /, '').replace(/\(.*$/s, '(…)'));
    const shown = names.length > 8 ? [...names.slice(0, 7), `${names.length - 7} more`] : names;
    tell(span, `${name} has no ${shown.join(', ')}, which ${contract.name} requires`, {
      hint: `Add ${missing.slice(0, 3).join('; ')}`,
    });
  }
  for (const method of contract.methods) {
    const member = memberOf(owner, method.name);
    if (member === null) continue;
    if (member.static || (member.accessibility ?? 'public') !== 'public') {
      const what = member.static ? 'static' : member.accessibility;
      tell(member.key, `${method.name} is ${what}, but ${contract.name} calls it from outside`);
      continue;
    }
    const value =
      member.type === 'PropertyDefinition' || member.type === 'MethodDefinition' ? member.value : null;
    if (value !== null && isFunction(value)) checkMethod(value, member.key, method, contract, file, tell);
  }
}

function signatureOf({ name, parameters, returns, isAsync }: ContractMethod): string {
  return `${isAsync ? 'async ' : ''}${name}(${parameters.map((one) => one.name).join(', ')}): ${returns}`;
}

function hasProperty(owner: Class, name: string): boolean {
  if (memberOf(owner, name) !== null) return true;
  const maker = memberOf(owner, 'constructor');
  const parameters = maker?.type === 'MethodDefinition' ? maker.value.params : [];
  return parameters.some((one) => {
    const inner = one.type === 'TSParameterProperty' ? one.parameter : null;
    const named = inner?.type === 'AssignmentPattern' ? inner.left : inner;
    return named?.type === 'Identifier' && named.name === name;
  });
}

function checkMethod(
  value: FunctionNode,
  key: Node,
  method: ContractMethod,
  contract: Contract,
  file: CodeFile,
  tell: Tell,
): void {
  const { parameters } = method;
  const needed = value.params.filter(
    (one) =>
      one.type !== 'RestElement' &&
      one.type !== 'AssignmentPattern' &&
      !(one.type === 'Identifier' && one.optional),
  );
  if (needed.length > parameters.length) {
    tell(
      value.params[parameters.length] as Node,
      `${method.name} takes ${needed.length} parameters; ${contract.name} gives it ${parameters.length}`,
      {
        hint: `Make the further ones optional, or hand them to the constructor`,
      },
    );
  }
  for (const [index, parameter] of parameters.entries()) {
    const given = value.params[index];
    const type = given === undefined ? null : annotationOf(given);
    if (given === undefined || given.type === 'RestElement') break;
    if (type === null || parameter.type === null || mayTake(type, parameter.type)) continue;
    tell(
      type,
      `${method.name} takes ${parameter.name} as ${file.textOf(type)}; ${contract.name} gives it ${kindOf(parameter.type)}`,
    );
  }
  checkReturn(value, key, method, contract, file, tell);
}

function checkReturn(
  value: FunctionNode,
  key: Node,
  method: ContractMethod,
  contract: Contract,
  file: CodeFile,
  tell: Tell,
): void {
  const type = value.returnType?.typeAnnotation;
  const isAsync = value.async || (type !== undefined && isPromiseType(type));
  const isOpen = /\b(any|unknown)\b/.test(method.returns);
  if (!method.isAsync && isAsync && !isOpen) {
    tell(key, `${method.name} is async, but ${contract.name} says ${method.returns}: nobody waits for it`, {
      hint: 'Do the work without waiting, or start it and keep its promise',
    });
  }
  if (!method.isAsync || isAsync) return;
  const returnsSomething =
    value.body?.type !== 'BlockStatement' ||
    file
      .insideWithoutFunctions(value.body)
      .some((node) => node.type === 'ReturnStatement' && node.argument !== null && !isPlain(node.argument));
  if (type === undefined && returnsSomething) return;
  tell(key, `${method.name} is not async, but ${contract.name} says ${method.returns}`, {
    hint: `Write async ${method.name}(…)`,
  });
}

const isPlain = (node: Node): boolean =>
  node.type === 'Literal' ||
  node.type === 'TemplateLiteral' ||
  node.type === 'ObjectExpression' ||
  node.type === 'ArrayExpression';

/** Whether an implementation that writes `type` can be given `wanted`. Aliases are not looked through: what is not known fits. */
function mayTake(type: Node, wanted: Node): boolean {
  const given = type.type === 'TSUnionType' ? type.types : [type];
  const needs = wanted.type === 'TSUnionType' ? wanted.types : [wanted];
  return needs.every((need) => {
    const kind = kindOf(need);
    return given.some((one) => {
      const own = kindOf(one);
      return own === kind || own === 'unknown' || kind === 'unknown';
    });
  });
}

/** What a type is, as far as it says so itself; `unknown` for names that may stand for anything. */
function kindOf(type: Node): string {
  switch (type.type) {
    case 'TSStringKeyword':
      return 'string';
    case 'TSNumberKeyword':
      return 'number';
    case 'TSBooleanKeyword':
      return 'boolean';
    case 'TSBigIntKeyword':
      return 'bigint';
    case 'TSNullKeyword':
      return 'null';
    case 'TSUndefinedKeyword':
      return 'undefined';
    case 'TSArrayType':
      return 'array';
    case 'TSFunctionType':
      return 'function';
    case 'TSTypeLiteral':
      return 'object';
    case 'TSLiteralType':
      return type.literal.type === 'Literal' ? typeof type.literal.value : 'unknown';
    case 'TSTypeReference':
      return memberPath(type.typeName)?.join('.') === 'Date' ? 'Date' : 'unknown';
    default:
      return 'unknown';
  }
}

/** `store.scheduleDue(…)`: the method of the contract that a receiver is named after. */
export function calledMethod(callee: Node, contracts: Contracts): ContractMethod | null {
  if (callee.type === 'ChainExpression') return calledMethod(callee.expression, contracts);
  if (callee.type !== 'MemberExpression') return null;
  const name = keyName(callee.property, callee.computed);
  const receiver = lastName(callee.object)?.replace(/^#/, '');
  if (name === null || receiver === undefined) return null;
  for (const contract of contracts.values()) {
    const isNamedAfter = contract.name.replace(/Contract$/, '').toLowerCase() === receiver.toLowerCase();
    if (!isNamedAfter) continue;
    const method = contract.methods.find((one) => one.name === name);
    if (method !== undefined) return method;
  }
  return null;
}

function checkCallbacks(given: readonly Node[], method: ContractMethod, tell: Tell): void {
  for (const [index, { callbacks }] of method.parameters.entries()) {
    const argument = given[index];
    if (argument?.type !== 'ObjectExpression') continue;
    for (const property of argument.properties) {
      if (property.type !== 'Property') continue;
      const callback = callbacks.find(({ name }) => name === keyName(property.key, property.computed));
      const value = functionOf(property.value);
      if (callback === undefined || callback.isAsync || value === null || !value.async) continue;
      tell(
        property.key,
        `${callback.name} is async, but ${method.name} calls it inside a transaction and does not wait`,
        {
          hint: 'Decide from what you are given; read what else is needed before the call',
        },
      );
    }
  }
}
