import type { Node } from 'oxc-parser';
import { type CodeFile, isFunction } from '../code-file.js';

/** What a call does to a thing that is opened and must be closed. */
export type Step = 'opens' | 'closes' | 'keeps';
type State = 'open' | 'closed';

/** One way out of a function, and whether the thing is open then. */
export interface Exit {
  how: 'end' | 'return' | 'throw';
  state: State;
  node: Node;
}

type States = ReadonlySet<State>;

/**
 * Follows every path through a block: what is opened where, and in which state each way out leaves it. Conditions are
 * not looked into but for one: where `inTransaction` is false, nothing is open.
 * @param stepOf says what a call does; null for any other call, which may throw.
 */
export function flowOf(block: Node, stepOf: (call: Node) => Step | null, file: CodeFile): Exit[] {
  const flow = new Flow(stepOf, file);
  const end = flow.statement(block, new Set(['closed']));
  return [...[...end].map((state): Exit => ({ how: 'end', state, node: block })), ...flow.exits];
}

class Flow {
  exits: Exit[] = [];
  /** States at break and continue, which go on after the loop or switch. */
  #breaks: Set<State>[] = [];

  constructor(
    private readonly stepOf: (call: Node) => Step | null,
    private readonly file: CodeFile,
  ) {}

  /** @returns the states in which the statement ends; none when it never does. */
  statement(node: Node, states: States): States {
    switch (node.type) {
      case 'BlockStatement':
      case 'StaticBlock':
        return this.#sequence(node.body, states);
      case 'IfStatement':
        return this.#branch(node, states);
      case 'TryStatement':
        return this.#try(node, states);
      case 'ReturnStatement':
        return this.#leave(
          'return',
          node,
          node.argument === null ? states : this.#evaluate(node.argument, states),
        );
      case 'ThrowStatement':
        return this.#leave('throw', node, this.#evaluate(node.argument, states));
      case 'BreakStatement':
      case 'ContinueStatement':
        for (const state of states) this.#breaks.at(-1)?.add(state);
        return new Set();
      case 'WhileStatement':
      case 'DoWhileStatement':
        return this.#loop(node.body, this.#evaluate(node.test, states), isAlways(node.test));
      case 'ForStatement': {
        const begun = node.init === null ? states : this.#evaluate(node.init, states);
        const tested = node.test === null ? begun : this.#evaluate(node.test, begun);
        return this.#loop(node.body, tested, node.test === null || isAlways(node.test));
      }
      case 'ForOfStatement':
      case 'ForInStatement':
        return this.#loop(node.body, this.#evaluate(node.right, states), false);
      case 'LabeledStatement':
        return this.statement(node.body, states);
      case 'SwitchStatement':
        return this.#switch(node, states);
      default:
        return this.#evaluate(node, states);
    }
  }

  #sequence(statements: readonly Node[], states: States): States {
    let after = states;
    for (const one of statements) {
      // What stands behind a return is never reached.
      if (after.size === 0) return after;
      after = this.statement(one, after);
    }
    return after;
  }

  #branch(node: Extract<Node, { type: 'IfStatement' }>, states: States): States {
    const tested = this.#evaluate(node.test, states);
    const isAsked = /\binTransaction\b/.test(this.file.textOf(node.test));
    const negated = node.test.type === 'UnaryExpression';
    const closed: States = new Set(['closed']);
    const yes = this.statement(node.consequent, isAsked && negated ? closed : tested);
    const without = isAsked && !negated ? closed : tested;
    return union(yes, node.alternate === null ? without : this.statement(node.alternate, without));
  }

  #try(node: Extract<Node, { type: 'TryStatement' }>, states: States): States {
    const before = this.exits;
    this.exits = [];
    let end = this.statement(node.block, states);
    let exits = this.exits;
    if (node.handler !== null) {
      const thrown = new Set(exits.filter(({ how }) => how === 'throw').map(({ state }) => state));
      this.exits = [];
      if (thrown.size > 0) end = union(end, this.statement(node.handler.body, thrown));
      exits = [...exits.filter(({ how }) => how !== 'throw'), ...this.exits];
    }
    this.exits = before;
    if (node.finalizer === null) {
      this.exits.push(...exits);
      return end;
    }
    for (const exit of exits) {
      for (const state of this.statement(node.finalizer, new Set([exit.state])))
        this.exits.push({ ...exit, state });
    }
    return end.size === 0 ? end : this.statement(node.finalizer, end);
  }

  #switch(node: Extract<Node, { type: 'SwitchStatement' }>, states: States): States {
    const tested = this.#evaluate(node.discriminant, states);
    this.#breaks.push(new Set());
    let end: States = new Set();
    for (const one of node.cases) {
      end = this.#sequence(one.consequent, union(end, tested));
    }
    const left = this.#breaks.pop() as Set<State>;
    const hasDefault = node.cases.some(({ test }) => test === null);
    return union(union(end, left), hasDefault ? new Set() : tested);
  }

  #loop(body: Node, states: States, isEndless: boolean): States {
    this.#breaks.push(new Set());
    const once = this.statement(body, states);
    // What one round leaves is what the next one begins with.
    const again = once.size === 0 ? once : this.statement(body, union(states, once));
    const left = this.#breaks.pop() as Set<State>;
    return isEndless ? left : union(union(states, union(once, again)), left);
  }

  #leave(how: 'return' | 'throw', node: Node, states: States): States {
    for (const state of states) this.exits.push({ how, state, node });
    return new Set();
  }

  /** Calls in the order in which they are made: what is inside a call comes before it. */
  #evaluate(node: Node, states: States): States {
    if (node.type === 'LogicalExpression') {
      const left = this.#evaluate(node.left, states);
      return union(left, this.#evaluate(node.right, left));
    }
    if (node.type === 'ConditionalExpression') {
      const tested = this.#evaluate(node.test, states);
      return union(this.#evaluate(node.consequent, tested), this.#evaluate(node.alternate, tested));
    }
    if (isFunction(node) || node.type === 'ClassExpression' || node.type === 'ClassDeclaration')
      return states;
    let after = states;
    for (const child of this.#childrenOf(node)) after = this.#evaluate(child, after);
    if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return after;
    const step = this.stepOf(node);
    // A commit or rollback that fails has ended the transaction all the same.
    if (step === 'closes') return new Set(['closed']);
    // Part of ending it, as ROLLBACK TO is: what fails there is ended by what is around it.
    if (step === 'keeps') return after;
    for (const state of after) this.exits.push({ how: 'throw', state, node });
    return step === 'opens' ? new Set(['open']) : after;
  }

  #childrenOf(node: Node): Node[] {
    return this.file.inside(node).filter((one) => one.parent === node);
  }
}

function union(left: States, right: States): States {
  return new Set([...left, ...right]);
}

function isAlways(test: Node): boolean {
  return test.type === 'Literal' && test.value === true;
}
