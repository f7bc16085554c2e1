import { cut } from '../errors.js';
import { ExpressionSyntaxError } from './expression/expression-error.js';
import { checkArgumentCount, unknownFunction } from './expression/functions.js';
import { parseExpression } from './expression/parse-expression.js';
import { childrenOf, type ExpressionNode } from './expression/syntax-tree.js';
import { PIPELINE_FUNCTIONS } from './pipeline-functions.js';

/** An expression that is ready to be evaluated any number of times. */
export interface CompiledExpression {
  /** As it was written, without a trailing `?`. */
  source: string;
  node: ExpressionNode;
  /** Written with a trailing `?`: what is missing is null. */
  optional: boolean;
}

/** A reference to a secret; it stands alone in its `${…}`, so that its value is never reshaped past recognition. */
export interface SecretReference {
  secret: string;
}

const SECRET = /^\s*secrets\s*\.\s*("?)([A-Za-z_][A-Za-z0-9_]{0,99})\1\s*$/;
const CACHE_SIZE = 2000;
const cache = new Map<string, CompiledExpression | SecretReference>();

/**
 * Compiles what stands between `${` and `}`; the last 2,000 distinct expressions are kept.
 * @throws ExpressionSyntaxError with the offset of the fault; also for unknown functions and misplaced secrets.
 */
export function compileExpression(source: string): CompiledExpression | SecretReference {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const made = compile(source);
  if (cache.size >= CACHE_SIZE) {
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  }
  cache.set(source, made);
  return made;
}

export function isSecret(found: CompiledExpression | SecretReference): found is SecretReference {
  return 'secret' in found;
}

function compile(source: string): CompiledExpression | SecretReference {
  const secret = SECRET.exec(source);
  if (secret !== null) return { secret: secret[2] as string };
  const trimmed = source.trimEnd();
  const optional = trimmed.endsWith('?');
  const text = optional ? trimmed.slice(0, -1) : source;
  const node = parseExpression(text);
  checkCalls(node);
  checkSecrets(node, true);
  return { source: cut(text.trim(), 200), node, optional };
}

function checkCalls(node: ExpressionNode): void {
  if (node.type === 'call') {
    const found = PIPELINE_FUNCTIONS.get(node.name);
    if (found === undefined) {
      const error = unknownFunction(PIPELINE_FUNCTIONS, node.name);
      throw new ExpressionSyntaxError(error.message, node.at, error.hint);
    }
    const wrong = checkArgumentCount(found, node.name, node.args.length);
    if (wrong !== null) throw new ExpressionSyntaxError(wrong, node.at);
    for (const [index, argument] of node.args.entries()) {
      const allowed = found.args[Math.min(index, found.args.length - 1)] ?? [];
      const isReference = argument.type === 'reference';
      if (isReference !== allowed.includes('expression')) {
        throw new ExpressionSyntaxError(
          isReference
            ? `argument ${index + 1} of ${node.name}() is not an expression with "&"`
            : `argument ${index + 1} of ${node.name}() must be an expression with "&"`,
          argument.at,
          isReference ? undefined : `For example ${node.name}(items, &name)`,
        );
      }
    }
  }
  for (const child of childrenOf(node)) checkCalls(child);
}

/** Only where names are looked up in the scope itself does `secrets` mean the secrets. */
function checkSecrets(node: ExpressionNode, atRoot: boolean): void {
  switch (node.type) {
    case 'field':
      if (atRoot && node.name === 'secrets') {
        throw new ExpressionSyntaxError(
          'secrets.NAME must stand alone in its ${…}',
          node.at,
          'Write it as ${secrets.NAME}, inside a longer text if need be: "Bearer ${secrets.TOKEN}"',
        );
      }
      return;
    case 'sub':
    case 'pipe':
      checkSecrets(node.left, atRoot);
      checkSecrets(node.right, node.left.type === 'root' || (atRoot && node.left.type === 'current'));
      return;
    case 'projection':
    case 'value_projection':
      checkSecrets(node.left, atRoot);
      checkSecrets(node.right, false);
      return;
    case 'filter':
      checkSecrets(node.left, atRoot);
      checkSecrets(node.condition, false);
      checkSecrets(node.right, false);
      return;
    case 'reference':
      checkSecrets(node.child, false);
      return;
    default:
      for (const child of childrenOf(node)) checkSecrets(child, atRoot);
  }
}
