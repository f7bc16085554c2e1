import type { Node } from 'oxc-parser';
import type { CodeFile } from './code-file.js';
import { keyName, memberPath } from './names.js';

/** A parameter as the contract has it. */
export interface ContractParameter {
  name: string;
  type: Node | null;
  /** Properties of an options object that are functions, and whether each may be async. */
  callbacks: { name: string; isAsync: boolean }[];
}

export interface ContractMethod {
  name: string;
  parameters: ContractParameter[];
  /** The return type as written. */
  returns: string;
  isAsync: boolean;
  isOptional: boolean;
}

/** An interface that others implement, as its source says it. */
export interface Contract {
  name: string;
  methods: ContractMethod[];
  /** Properties that are no functions. */
  properties: { name: string; isOptional: boolean }[];
}

/** The contracts by name. */
export type Contracts = ReadonlyMap<string, Contract>;

/** Reads every exported interface with methods; one that extends others has theirs as well. */
export function readContracts(files: readonly CodeFile[]): Contracts {
  const own = new Map<string, { contract: Contract; bases: string[] }>();
  for (const file of files) {
    for (const node of file.all('TSInterfaceDeclaration')) {
      if (node.parent?.type !== 'ExportNamedDeclaration') continue;
      const bases = node.extends.flatMap(({ expression }) => memberPath(expression)?.at(-1) ?? []);
      own.set(node.id.name, { contract: readInterface(node.id.name, node.body.body, file), bases });
    }
  }
  const whole = (name: string, seen: readonly string[] = []): Contract => {
    const { contract, bases } = own.get(name) as { contract: Contract; bases: string[] };
    const inherited = bases.filter((base) => own.has(base) && !seen.includes(base));
    const parts = inherited.map((base) => whole(base, [...seen, name]));
    return {
      name,
      methods: [...contract.methods, ...parts.flatMap(({ methods }) => methods)],
      properties: [...contract.properties, ...parts.flatMap(({ properties }) => properties)],
    };
  };
  const contracts = [...own.keys()].map((name) => whole(name)).filter(({ methods }) => methods.length > 0);
  return new Map(contracts.map((contract) => [contract.name, contract]));
}

function readInterface(name: string, members: readonly Node[], file: CodeFile): Contract {
  const contract: Contract = { name, methods: [], properties: [] };
  for (const member of members) {
    if (member.type === 'TSMethodSignature') {
      const key = keyName(member.key, member.computed);
      if (key !== null && member.kind === 'method') {
        contract.methods.push({
          ...readSignature(member.params, member.returnType, file),
          name: key,
          isOptional: member.optional,
        });
      }
    } else if (member.type === 'TSPropertySignature') {
      const key = keyName(member.key, member.computed);
      const type = member.typeAnnotation?.typeAnnotation;
      if (key === null) continue;
      if (type?.type === 'TSFunctionType') {
        const signature = readSignature(type.params, type.returnType, file);
        contract.methods.push({ ...signature, name: key, isOptional: member.optional });
      } else contract.properties.push({ name: key, isOptional: member.optional });
    }
  }
  return contract;
}

function readSignature(
  parameters: readonly Node[],
  returnType: Node | null | undefined,
  file: CodeFile,
): Omit<ContractMethod, 'name' | 'isOptional'> {
  const type = returnType?.type === 'TSTypeAnnotation' ? returnType.typeAnnotation : null;
  return {
    parameters: parameters.map((parameter) => {
      const annotation = annotationOf(parameter);
      return {
        name: parameter.type === 'Identifier' ? parameter.name : 'options',
        type: annotation,
        callbacks: callbacksOf(annotation),
      };
    }),
    returns: type === null ? 'void' : file.textOf(type),
    isAsync: type !== null && isPromiseType(type),
  };
}

function callbacksOf(type: Node | null): { name: string; isAsync: boolean }[] {
  if (type?.type !== 'TSTypeLiteral') return [];
  return type.members.flatMap((member) => {
    if (member.type !== 'TSPropertySignature') return [];
    const name = keyName(member.key, member.computed);
    const inner = member.typeAnnotation?.typeAnnotation;
    if (name === null || inner?.type !== 'TSFunctionType') return [];
    return [{ name, isAsync: isPromiseType(inner.returnType?.typeAnnotation ?? inner) }];
  });
}

/** The type that is written at a parameter or variable; null when there is none. */
export function annotationOf(pattern: Node): Node | null {
  switch (pattern.type) {
    case 'Identifier':
    case 'ObjectPattern':
    case 'ArrayPattern':
    case 'RestElement':
      return pattern.typeAnnotation?.typeAnnotation ?? null;
    case 'AssignmentPattern':
      return annotationOf(pattern.left);
    case 'TSParameterProperty':
      return annotationOf(pattern.parameter);
    default:
      return null;
  }
}

/** `Promise<…>`, `PromiseLike<…>`, or a union with one. */
export function isPromiseType(type: Node): boolean {
  if (type.type === 'TSUnionType') return type.types.some(isPromiseType);
  const name = type.type === 'TSTypeReference' ? memberPath(type.typeName)?.at(-1) : undefined;
  return name === 'Promise' || name === 'PromiseLike';
}
