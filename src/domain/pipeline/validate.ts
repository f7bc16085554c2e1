import { cut, PaoError, type Problem } from '../errors.js';
import { CHANNEL_PREFIX } from '../channel.js';
import { nearest } from '../nearest.js';
import { checkLiterals } from './check-literals.js';
import { toolUseProblem } from './check-tool-use.js';
import { isSecret } from './compile-expression.js';
import { isObject } from './expression/json-values.js';
import { findMissing, formatPath } from './expression/plain-path.js';
import { readInstant } from './instants.js';
import { type Reference, referencesOf } from './references.js';
import { ROOT_NAMES, RUN_NAMES, TASK_NAMES } from './scope.js';
import type { InnerStep, Pipeline, Step } from './step.js';
import { compileBareExpression, templateExpressions } from './template.js';
import { TemplateError } from './template-error.js';

/** What is known about a tool when a pipeline is checked. */
export interface ToolForValidation {
  input_schema: unknown;
  output_schema?: unknown;
}

/** What a pipeline is checked against. */
export interface PipelineContext {
  findTool(address: string): ToolForValidation | null;
  /** For hints only; an unknown tool is compared with them. */
  toolAddresses(): string[];
  /** Whether the task's agent holds the scope `tool:<address>`. */
  mayUse(address: string): boolean;
  /** null: not known; what refers to them is not checked. */
  params: Readonly<Record<string, unknown>> | null;
  zone: string;
  /** Whether the agent holds the scope `secrets:use:<name>`; when left out, that is checked in the worker only. */
  mayUseSecret?(name: string): boolean;
}

/**
 * Checks a pipeline when its task is created (product.md): tools and scopes, ids, references, templates, literal inputs.
 * @param pipeline as parsed by `pipelineSchema`.
 * @returns every problem, with pointers that begin with `/pipeline`; empty when there is none.
 */
export function validatePipeline(pipeline: Pipeline, context: PipelineContext): Problem[] {
  return new PipelineValidator(context).validate(pipeline);
}

/** Where an expression stands. */
interface Place {
  pointer: string;
  /** Names of outputs that exist by then. */
  done: ReadonlySet<string>;
  /** Name of the item, inside a `foreach`. */
  item: string | null;
  /** Whether what is missing is merely false there. */
  lenient: boolean;
  secrets: boolean;
  /** Further root names, of events. */
  roots?: readonly string[];
}

class PipelineValidator {
  readonly #problems: Problem[] = [];
  /** Every name an output will have, with the step that gives it. */
  readonly #names = new Map<string, string>();
  /** The id of the step at a pointer. */
  readonly #owners = new Map<string, string>();

  constructor(private readonly context: PipelineContext) {}

  validate(pipeline: Pipeline): Problem[] {
    this.#collectNames(pipeline);
    const done = new Set<string>();
    for (const [index, step] of pipeline.entries()) {
      const pointer = `/pipeline/${index}`;
      this.#step(step, pointer, done);
      for (const [inner, one] of (step.parallel ?? []).entries()) {
        // Steps side by side do not see each other.
        this.#step(one, `${pointer}/parallel/${inner}`, done);
      }
      for (const one of [step, ...(step.parallel ?? [])]) {
        done.add(one.id);
        if (one.save_as !== undefined) done.add(one.save_as);
      }
    }
    return this.#problems;
  }

  #collectNames(pipeline: Pipeline): void {
    const claim = (name: string, owner: string, pointer: string, what: string): void => {
      const other = this.#names.get(name);
      if (other !== undefined) {
        this.#add(pointer, `${what} "${name}" is already used by step "${other}"`, 'Give it another name');
      } else this.#names.set(name, owner);
    };
    const all: [Step | InnerStep, string][] = pipeline.flatMap((step, index) => [
      [step, `/pipeline/${index}`] as [Step, string],
      ...(step.parallel ?? []).map((one, inner): [InnerStep, string] => [
        one,
        `/pipeline/${index}/parallel/${inner}`,
      ]),
    ]);
    for (const [step, pointer] of all) {
      this.#owners.set(pointer, step.id);
      claim(step.id, step.id, `${pointer}/id`, 'the id');
    }
    for (const [step, pointer] of all) {
      if (step.save_as !== undefined && step.save_as !== step.id) {
        claim(step.save_as, step.id, `${pointer}/save_as`, 'the name');
      }
    }
  }

  #step(step: Step | InnerStep, pointer: string, done: ReadonlySet<string>): void {
    const place: Place = { pointer, done, item: null, lenient: false, secrets: false };
    for (const name of ['if', 'urgent'] as const) {
      const condition = step[name];
      if (typeof condition === 'string')
        this.#bare(condition, { ...place, pointer: `${pointer}/${name}`, lenient: true });
    }
    if (step.changed !== undefined) {
      const [text, at] =
        typeof step.changed === 'string' ? [step.changed, ''] : [step.changed.value, '/value'];
      this.#bare(text, { ...place, pointer: `${pointer}/changed${at}` });
    }
    if (step.foreach !== undefined) {
      this.#bare(step.foreach.items, { ...place, pointer: `${pointer}/foreach/items` });
      this.#literalItems(step.foreach, `${pointer}/foreach/items`);
    }
    const item = step.foreach?.as ?? null;
    const tool = step.uses === undefined ? null : this.#tool(step.uses, `${pointer}/uses`);
    if (step.with !== undefined) {
      this.#templates(step.with, { ...place, pointer: `${pointer}/with`, item, secrets: true });
    }
    if (tool !== null) this.#literals(step.with ?? {}, tool, `${pointer}/with`);
    if (step.idempotency_key !== undefined) {
      this.#templates(step.idempotency_key, { ...place, pointer: `${pointer}/idempotency_key`, item });
    }
    if (isObject(step.on_error)) {
      this.#templates(step.on_error.fallback, { ...place, pointer: `${pointer}/on_error/fallback` });
    }
    if (step.approve !== undefined) {
      this.#templates(step.approve.message, { ...place, pointer: `${pointer}/approve/message` });
      this.#templates(step.approve.data ?? null, { ...place, pointer: `${pointer}/approve/data` });
      if (step.approve.notify !== undefined)
        this.#tool(CHANNEL_PREFIX + step.approve.notify, `${pointer}/approve/notify`);
    }
    this.#wait(step, place);
  }

  #wait(step: Step | InnerStep, place: Place): void {
    const { wait } = step;
    if (wait === undefined) return;
    if (wait.until !== undefined) {
      const pointer = `${place.pointer}/wait/until`;
      this.#templates(wait.until, { ...place, pointer });
      if (!wait.until.includes('${')) this.#instant(wait.until, pointer);
    }
    if (wait.event !== undefined)
      this.#templates(wait.event, { ...place, pointer: `${place.pointer}/wait/event` });
    if (wait.filter !== undefined) {
      const pointer = `${place.pointer}/wait/filter`;
      this.#bare(wait.filter, { ...place, pointer, lenient: true, roots: ['topic', 'payload'] });
    }
  }

  #instant(text: string, pointer: string): void {
    try {
      readInstant(text, this.context.zone);
    } catch {
      this.#add(
        pointer,
        `${JSON.stringify(cut(text, 40))} is not an instant`,
        'Write it as 2026-11-24T08:30:00+02:00',
      );
    }
  }

  #tool(address: string, pointer: string): ToolForValidation | null {
    const problem = toolUseProblem(address, pointer, this.context);
    if (problem !== null) this.#problems.push(problem);
    return this.context.findTool(address);
  }

  #literals(input: unknown, tool: ToolForValidation, pointer: string): void {
    try {
      for (const problem of checkLiterals(input, tool.input_schema)) {
        this.#problems.push({ ...problem, pointer: `${pointer}${problem.pointer}` });
      }
    } catch (error) {
      if (!(error instanceof PaoError)) throw error;
      const reason = error.problems[0]?.message ?? error.message;
      this.#add(pointer, `the input schema of the tool can not be used: ${reason}`, 'Import the tool again');
    }
  }

  /** A list that is written out can be counted now. */
  #literalItems(foreach: NonNullable<Step['foreach']>, pointer: string): void {
    const node = this.#compileBare(foreach.items, pointer, false)?.node;
    if (node?.type !== 'literal') return;
    if (!Array.isArray(node.value)) this.#add(pointer, 'must give a list', 'For example ${steps.mail.items}');
    else if (node.value.length > foreach.max_items) {
      this.#add(pointer, `has ${node.value.length} items, more than max_items (${foreach.max_items})`);
    }
  }

  #bare(text: string, place: Place): void {
    const expression = this.#compileBare(text, place.pointer, true);
    if (expression === null) return;
    this.#references(referencesOf(expression.node, expression.optional), place);
  }

  #compileBare(text: string, pointer: string, report: boolean) {
    try {
      return compileBareExpression(text, pointer);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      if (report) this.#problems.push(...error.problems);
      return null;
    }
  }

  #templates(value: unknown, place: Place): void {
    for (const found of templateExpressions(value, place.pointer)) {
      if (found.error !== null) {
        this.#problems.push(...found.error.problems);
        continue;
      }
      const { expression } = found;
      if (!isSecret(expression)) {
        const references = referencesOf(expression.node, expression.optional);
        this.#references(references, { ...place, pointer: found.pointer });
      } else if (!place.secrets) {
        this.#add(
          found.pointer,
          'a secret may be used in `with` only',
          `Pass \${secrets.${expression.secret}} to the tool`,
        );
      } else if (this.context.mayUseSecret?.(expression.secret) === false) {
        this.#add(
          found.pointer,
          `the agent may not use the secret ${expression.secret}: the scope secrets:use:${expression.secret} is missing`,
        );
      }
    }
  }

  #references(references: Reference[], place: Place): void {
    const seen = new Set<string>();
    for (const reference of references) {
      const key = formatPath(reference.path);
      if (seen.has(key)) continue;
      seen.add(key);
      this.#reference(reference, place);
    }
  }

  #reference({ path, optional }: Reference, place: Place): void {
    const [root, name] = path as [string | number, string | number | undefined];
    const roots = [...ROOT_NAMES, ...(place.item === null ? [] : [place.item]), ...(place.roots ?? [])];
    if (typeof root !== 'string' || !roots.includes(root)) {
      this.#unknownRoot(String(root), roots, place);
    } else if (root === place.item) {
      return;
    } else if (root === 'steps' && typeof name === 'string') {
      this.#stepReference(name, place);
    } else if (root === 'task' || root === 'run') {
      const known: readonly string[] = root === 'task' ? TASK_NAMES : RUN_NAMES;
      if (name !== undefined && !known.includes(String(name))) {
        const near = nearest(String(name), known);
        const hint = near === null ? `There are: ${known.join(', ')}` : `Did you mean ${root}.${near}?`;
        this.#add(place.pointer, `${formatPath([root, name])} does not exist`, hint);
      }
    } else if (root === 'params' && !optional && this.context.params !== null) {
      const missing = findMissing({ params: this.context.params }, path);
      if (missing !== null) {
        this.#add(
          place.pointer,
          missing.message,
          missing.hint ?? `Add it to params, or write \${${formatPath(path)}?} if it may be absent`,
        );
      }
    }
  }

  #unknownRoot(root: string, roots: readonly string[], place: Place): void {
    if (root === 'secrets') {
      this.#add(place.pointer, 'a secret may be used in `with` only', 'Write it there as ${secrets.NAME}');
      return;
    }
    const near = nearest(root, roots);
    const hint = this.#names.has(root)
      ? `Did you mean steps.${root}?`
      : near !== null
        ? `Did you mean ${near}?`
        : Object.hasOwn(this.context.params ?? {}, root)
          ? `Did you mean params.${root}?`
          : root === 'item'
            ? 'An item exists only inside the `with` of a step with foreach'
            : `An expression begins with one of ${roots.join(', ')}`;
    this.#add(place.pointer, `"${cut(root, 60)}" does not exist`, hint);
  }

  #stepReference(name: string, place: Place): void {
    if (place.done.has(name)) return;
    const owner = this.#names.get(name);
    if (owner !== undefined) {
      const own = this.#isOwn(owner, place.pointer);
      this.#add(
        place.pointer,
        own
          ? `steps.${name} is the output of this step itself`
          : `steps.${name} does not exist yet: step "${owner}" does not run before this one`,
        own ? 'Refer to a step before it' : `Move step "${owner}" before this one`,
      );
      return;
    }
    const near = nearest(name, place.done) ?? nearest(name, this.#names.keys());
    const known = [...place.done];
    const hint =
      near !== null
        ? `Did you mean steps.${near}?`
        : known.length > 0
          ? `Before this step there are: ${known.slice(0, 20).join(', ')}`
          : 'No step runs before this one';
    this.#add(place.pointer, `there is no step "${cut(name, 60)}"`, hint);
  }

  #isOwn(owner: string, pointer: string): boolean {
    const step = /^\/pipeline\/\d+(\/parallel\/\d+)?/.exec(pointer)?.[0] ?? '';
    return this.#owners.get(step) === owner;
  }

  #add(pointer: string, message: string, hint?: string): void {
    this.#problems.push({ pointer, message, ...(hint === undefined ? {} : { hint }) });
  }
}
