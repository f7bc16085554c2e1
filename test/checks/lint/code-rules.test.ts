import { describe, expect, it } from 'vitest';
import { found, lintTexts } from './lint-text.js';

/** A text, and what the rule finds in it: nothing, or a pattern for each finding. */
type Case = [what: string, text: string, ...findings: RegExp[]];

function cases(rule: string, table: Case[]): void {
  describe(`${rule}:`, () => {
    it.each(table)('%s', async (_what, text, ...patterns) => {
      const findings = await found(rule, text);
      expect(findings).toHaveLength(patterns.length);
      for (const [index, pattern] of patterns.entries()) expect(findings[index]).toMatch(pattern);
    });
  });
}

const WHOLE = `
import type { SchedulerContract } from 'pao';
export class Mine implements SchedulerContract {
  readonly lastTickAt: number | null = null;
  start(): void {}
  async stop() {}
  wake() {}
  async runOnce() { return { tasks: 0, queued: 0, skipped: 0, missed: 0, events: 0, reclaimed: 0 }; }
}`;

cases('scheduler-contract', [
  ['passes a whole one', WHOLE],
  [
    'misses a method',
    WHOLE.replace('wake() {}', ''),
    /^3: Mine has no wake\(…\), which SchedulerContract requires/,
  ],
  [
    'misses a property',
    WHOLE.replace('readonly lastTickAt: number | null = null;', ''),
    /Mine has no lastTickAt/,
  ],
  [
    'takes a getter for a property',
    WHOLE.replace('readonly lastTickAt: number | null = null;', 'get lastTickAt() { return 1; }'),
  ],
  [
    'wants async where the contract says so',
    WHOLE.replace('async stop() {}', 'stop() {}'),
    /^6: stop is not async, but SchedulerContract says Promise<void>/,
  ],
  ['takes a promise that is handed on', WHOLE.replace('async stop() {}', 'stop() { return this.end(); }')],
  [
    'wants no async where nobody waits',
    WHOLE.replace('wake() {}', 'async wake() {}'),
    /^7: wake is async, but SchedulerContract says void: nobody waits/,
  ],
  ['wants it public', WHOLE.replace('wake() {}', 'private wake() {}'), /wake is private/],
  [
    'counts parameters',
    WHOLE.replace('wake() {}', 'wake(reason: string) {}'),
    /^7: wake takes 1 parameters; SchedulerContract gives it 0/,
  ],
  ['lets further parameters be optional', WHOLE.replace('wake() {}', "wake(reason = 'none') {}")],
  [
    'looks at types of parameters',
    'class S implements InstantSource { next(after: Date): number { return 1; } }',
    /^1: next takes after as Date; InstantSource gives it number/,
  ],
  [
    'takes wider types',
    'class S implements InstantSource { next(after: number | string): number { return 1; } }',
  ],
  [
    'knows inherited methods of a contract',
    'class S implements Store {}',
    /^1: S has no engine, location, migrate\(…\), .* more, which Store requires/,
  ],
  [
    'takes a class by its name',
    'export class NightScheduler { start() {} async stop() {} wake() {} }',
    /NightScheduler has no lastTickAt, runOnce\(…\), which/,
  ],
  ['does not know what an unknown base class has', 'class Mine extends Base implements SchedulerContract {}'],
  [
    'leaves an interface of the same file to the compiler',
    'interface Store { a(): void }\nclass S implements Store {}',
  ],
  [
    'wants decisions to be made without waiting',
    'async function f(store: Store) { return store.scheduleDue({ now: 1, limit: 1, decide: async (due) => ({ runs: [], nextDueAt: null }) }); }',
    /^1: decide is async, but scheduleDue calls it inside a transaction/,
  ],
  [
    'takes a decision made at once',
    'async function f(store: Store) { return store.scheduleDue({ now: 1, limit: 1, decide: () => ({ runs: [], nextDueAt: null }) }); }',
  ],
]);

cases('exhaustive-kinds', [
  [
    'passes all kinds',
    "switch (s.kind) { case 'cron': case 'rrule': case 'once': case 'event': case 'condition': break; }",
  ],
  [
    'finds what a switch leaves out',
    "switch (s.kind) { case 'cron': a(); break; case 'once': b(); }",
    /^1: The schedule kinds rrule, event, condition are not handled/,
  ],
  [
    'does not trust a default that takes all',
    "switch (s.kind) { case 'cron': a(); break; case 'once': b(); break; default: c(); }",
    /fall into a default/,
  ],
  [
    'trusts a default that throws',
    "switch (s.kind) { case 'cron': a(); break; case 'once': b(); break; default: throw new Error('?'); }",
  ],
  [
    'trusts a default that can not be',
    "switch (s.kind) { case 'cron': a(); break; case 'once': b(); break; default: assertNever(s); }",
  ],
  [
    'reads a chain of ifs',
    "if (s.kind === 'cron') a(); else if (s.kind === 'rrule') b();",
    /^1: The schedule kinds once, event, condition are not handled/,
  ],
  [
    'lets a chain end in a throw',
    "if (s.kind === 'cron') a(); else if (s.kind === 'rrule') b(); else throw new Error();",
  ],
  [
    'asks a timed schedule for timed kinds only',
    "function f(s: TimedSchedule) { switch (s.kind) { case 'cron': return 1; case 'rrule': return 2; case 'once': return 3; } }",
  ],
  ['is not about other kinds', "switch (tool.kind) { case 'http': a(); break; case 'mcp': b(); }"],
  ['is not about asking for one kind', "if (s.kind === 'cron') a(); else b();"],
]);

cases('injected-clock', [
  ['passes a clock that is handed in', 'const f = (clock: Clock) => clock.now() + clock.monotonic();'],
  ['finds Date.now', 'const at = Date.now();', /^1: Date\.now\(\) asks the machine/],
  ['finds new Date()', 'const at =\n  new Date();', /^2: new Date\(\)/],
  ['lets a date be made of something', 'const at = new Date(clock.now()); const b = new Date(2026, 1);'],
  [
    'finds performance.now, also when it is imported',
    "import { performance } from 'node:perf_hooks';\nperformance.now();",
    /^2: performance\.now/,
  ],
  ['finds process.hrtime', 'process.hrtime.bigint(); process.hrtime();', /hrtime\.bigint/, /hrtime\(\)/],
  [
    'finds DateTime.now of luxon',
    "import { DateTime } from 'luxon';\nDateTime.now(); DateTime.utc(); DateTime.utc(2026);",
    /DateTime\.now/,
    /DateTime\.utc\(\)/,
  ],
  ['is not about a DateTime of somebody else', "import { DateTime } from './mine.js';\nDateTime.now();"],
  ['is not about a Date of its own', 'function f(Date: { now(): number }) { return Date.now(); }'],
  [
    'lets the Clock itself ask',
    'export const mine: Clock = { now: () => Date.now(), monotonic: () => performance.now() };',
  ],
  [
    'lets a class be a Clock',
    'class Mine implements Clock { now() { return Date.now(); } monotonic() { return 0; } }',
  ],
]);

cases('injected-timers', [
  ['passes timers that are handed in', 'const f = (timers: Timers) => timers.setTimeout(() => {}, 5);'],
  [
    'finds bare timers',
    'setTimeout(f, 5);\nglobalThis.setInterval(f, 5);',
    /^1: setTimeout/,
    /^2: globalThis\.setInterval/,
  ],
  [
    'finds imported ones',
    "import { setTimeout as sleep } from 'node:timers/promises';\nawait sleep(5);",
    /^2: sleep\(…\)/,
  ],
  [
    'lets a turn be given up',
    "import { setImmediate as turn } from 'node:timers/promises';\nawait turn(); setImmediate(f); clearTimeout(t);",
  ],
  [
    'lets the Timers be timers',
    'export const mine: Timers = { setTimeout(work, ms) { const t = setTimeout(work, ms); return () => clearTimeout(t); }, setInterval: (w, ms) => { const t = setInterval(w, ms); return () => clearInterval(t); } };',
  ],
  ['is not about a function of that name', 'function setTimeout(f: unknown) {}\nsetTimeout(1);'],
]);

cases('self-chaining-timer', [
  [
    'finds a function that arms itself',
    'function look() { work(); setTimeout(look, 1000); }',
    /^1: look is called again only by the timer that look itself arms/,
  ],
  [
    'finds one that arms itself by another',
    'class S {\n wake() { void this.#pass(); }\n async #pass() { await work(); setTimeout(() => this.wake(), 5); } }',
    /^3: #pass is called again only/,
  ],
  [
    'finds it with timers that are handed in',
    'class S { go() { this.timers.setTimeout(() => this.go(), 5); } }',
    /go is called again/,
  ],
  ['finds a bound method', 'class S { go() { setTimeout(this.go.bind(this), 5); } }', /go is called again/],
  [
    'lets an interval look as well',
    'class S {\n start() { this.timers.setInterval(() => this.wake(), 1000); }\n wake() { void this.#pass(); }\n async #pass() { await work(); this.timers.setTimeout(() => this.wake(), 5); } }',
  ],
  [
    'is not saved by an interval that does something else',
    'class S {\n start() { setInterval(() => this.log(), 1000); }\n log() {}\n go() { setTimeout(() => this.go(), 5); } }',
    /^4: go is called again/,
  ],
  ['lets a timer do something else', 'function look() { setTimeout(other, 5); }\nfunction other() {}'],
  ['lets an interval repeat', 'function look() {}\nsetInterval(look, 5);'],
]);

cases('floating-promise', [
  [
    'passes what is awaited, returned, kept or given up',
    'async function f() {}\nasync function g() { await f(); void f(); const p = f(); f().catch(log); return f(); }',
  ],
  [
    'finds a call of an async function',
    'async function f() {}\nf();',
    /^2: The promise of f\(…\) is not waited for/,
  ],
  [
    'finds a call of an async method',
    'class A { async #f() {}\n go() { this.#f(); } }',
    /^2: The promise of this\.#f/,
  ],
  [
    'finds a function that says it gives a promise',
    'function f(): Promise<void> { return g(); }\nf();',
    /^2: /,
  ],
  [
    'finds a call that the contract makes async',
    'function f(store: Store) { store.setMeta("a", "b"); }',
    /^1: The promise of store\.setMeta\(…\) is not waited for: the contract says Promise<void>/,
  ],
  [
    'lets a call be made that the contract does not make async',
    'function f(bus: Bus) { bus.publish("work", { count: 1 }); }',
  ],
  ['finds it behind && and ?:', 'async function f() {}\na && f();\nb ? f() : c();', /^2: /, /^3: /],
  [
    'finds then without a second handler',
    'async function f() {}\nf().then(a);\nf().finally(b);',
    /^2: /,
    /^3: /,
  ],
  ['finds Promise.all', 'Promise.all([a, b]);', /^1: The promise of Promise\.all/],
  [
    'finds an async callback that nobody waits for',
    'items.forEach(async (item) => { await item; });',
    /^1: forEach does not wait/,
  ],
  ['lets map give its promises back', 'await Promise.all(items.map(async (item) => item));'],
  ['is not about a function that is not async', 'function f() {}\nf();'],
]);

cases('swallowed-error', [
  [
    'passes what is thrown on, recorded or logged',
    'try { a(); } catch (error) { throw new Error("b", { cause: error }); }\ntry { a(); } catch (error) { log(error); }',
  ],
  ['finds an empty catch', 'try { a(); } catch {}', /^1: An empty catch swallows the error/],
  [
    'finds a catch that only has a comment',
    'try { a(); } catch (error) { /* never mind */ }',
    /An empty catch/,
  ],
  [
    'finds a catch that looks away',
    'try { a(); b(); } catch (error) { count += 1; }',
    /^1: The catch drops the error/,
  ],
  [
    'finds a catch that answers with nothing',
    'function f() { try { const x = a(); return b(x); } catch (error) { return null; } }',
    /^1: The catch drops/,
  ],
  [
    'lets a catch answer with what went wrong',
    "function f() { try { const x = a(); return b(x); } catch { return 'filter_error'; } }",
  ],
  [
    'lets one thing be tried',
    'function f(text: string) { try { return JSON.parse(text); } catch { return null; } }',
  ],
  ['lets there be another way', 'try { link(a, b); } catch { copy(a, b); }'],
  [
    'does not take a property of the name for the error',
    'try { a(); b(); } catch (error) { x.error = 1; }',
    /^1: /,
  ],
  [
    'finds .catch that drops it',
    'work().catch(() => {});\nwork().catch(() => null);\nwork().catch((error) => undefined);',
    /^1: /,
    /^2: /,
    /^3: /,
  ],
  ['lets .catch say what it does', 'work().catch((error) => log(error));\nwork().catch(() => fallback());'],
  [
    'lets something be asked',
    'function f() { try { access(a); access(b); return true; } catch { return false; } }',
  ],
  [
    'lets the end of a kept promise be waited for',
    'const next = this.#before.catch(() => {}).then(go);\nawait before.catch(() => {});',
  ],
  ['does not let a call be waited for so', 'await work().catch(() => {});', /^1: /],
]);

cases('error-context', [
  [
    'passes an error with its ids',
    'try { a(); } catch (error) { logger.error({ err: error, task_id: id }, "it failed"); }',
  ],
  [
    'wants an id',
    'try { a(); } catch (error) { logger.error({ err: error }, "it failed"); }',
    /^1: An error is logged without an id/,
  ],
  [
    'wants the error',
    'try { a(); } catch (error) { logger.error({ task_id: id }, "it failed"); }',
    /^1: An error is logged without the error itself/,
  ],
  ['wants fields', 'logger.error("it failed");', /without an id/],
  [
    'looks at warnings that carry an error',
    'try { a(); } catch (error) { this.#logger.warn({ err: error }, "it failed"); }',
    /without an id/,
  ],
  ['is not about other warnings', 'logger.warn({ requeued: 1 }, "leases ran out");'],
  [
    'takes a child that has the ids',
    'function f(logger: Logger) { const log = logger.child({ run_id: 1 }); try { a(); } catch (error) { log.error({ err: error }, "it failed"); } }',
  ],
  ['finds the console', 'console.error("it failed");', /^1: console\.error\(…\) writes a line/],
]);

cases('open-transaction', [
  [
    'passes one that is closed on every path',
    "function f(db: Db) { db.exec('BEGIN'); try { work(); db.exec('COMMIT'); } catch (error) { db.exec('ROLLBACK'); throw error; } }",
  ],
  [
    'passes one that is closed at the end',
    "async function f(c: Db) { await c.query('BEGIN'); let good = false; try { await work(); good = true; } finally { await c.query(good ? 'COMMIT' : 'ROLLBACK'); } }",
  ],
  [
    'finds an error that leaves it open',
    "function f(db: Db) {\n db.exec('BEGIN');\n work();\n db.exec('COMMIT');\n}",
    /^2: The transaction is left open when line 3 throws/,
  ],
  [
    'finds a return that leaves it open',
    "function f(db: Db) {\n db.exec('BEGIN');\n try {\n if (x) return 1;\n work(); db.exec('COMMIT');\n } catch (e) { db.exec('ROLLBACK'); throw e; } }",
    /^2: The transaction is left open by the return of line 4/,
  ],
  [
    'finds an end that leaves it open',
    "function f(db: Db) {\n db.exec('BEGIN');\n try { work(); } catch (e) { db.exec('ROLLBACK'); throw e; }\n}",
    /left open at the end of the function \(line 4\)/,
  ],
  [
    'knows prepared statements',
    "class A { constructor(raw: Db) { this.#begin = raw.prepare('BEGIN IMMEDIATE'); }\n go() { this.#begin.run();\n work(); } }",
    /^2: The transaction is left open/,
  ],
  [
    'knows that nothing is open where inTransaction is false',
    "function f(db: Db) { db.exec('BEGIN'); try { work(); db.exec('COMMIT'); } catch (e) { if (db.inTransaction) db.exec('ROLLBACK'); throw e; } }",
  ],
  [
    'follows loops and switches',
    "function f(db: Db) {\n db.exec('BEGIN');\n try {\n for (const x of xs) { if (x) break; work(x); }\n switch (y) { case 1: db.exec('COMMIT'); break; default: db.exec('ROLLBACK'); }\n } catch (e) { db.exec('ROLLBACK'); throw e; } }",
  ],
  [
    'looks at who calls begin',
    "function begin(db: Db) { db.exec('BEGIN'); }\nfunction f(tx: Tx) {\n tx.begin();\n work();\n tx.commit(); }",
    /^3: The transaction is left open when line 4 throws/,
  ],
  [
    'passes a transaction that is closed in a finally',
    "function f(db: Db) { db.exec('BEGIN'); try { work(); db.exec('COMMIT'); } finally { if (db.inTransaction) db.exec('ROLLBACK'); } }",
  ],
  [
    'leaves a savepoint to the transaction around it when something throws',
    "async function f(sql: Sql) { await sql.run('SAVEPOINT part'); await job(); await sql.run('RELEASE part'); }",
  ],
  [
    'finds a savepoint that is not released',
    "async function f(sql: Sql) { await sql.run('SAVEPOINT part'); await job(); }",
    /left open at the end of the function/,
  ],
]);

describe('syntax', () => {
  it('says where a file can not be read, and nothing about what is not there', async () => {
    const { findings } = await lintTexts({ 'a.ts': 'const at = Date.now(;\n' });
    expect(findings.map(({ rule, line, column }) => [rule, line, column])).toEqual([['syntax', 1, 21]]);
  });
});

describe('--fix', () => {
  it('uses a clock that is at hand', async () => {
    const { texts, fixed, findings } = await lintTexts(
      {
        'a.ts':
          'export const f = (clock: Clock) => [Date.now(), performance.now(), new Date()];\nDate.now();\n',
      },
      { fix: true },
    );
    expect(texts['a.ts']).toBe(
      'export const f = (clock: Clock) => [clock.now(), clock.monotonic(), new Date()];\nDate.now();\n',
    );
    expect([fixed, findings.length]).toEqual([2, 2]);
  });
});
