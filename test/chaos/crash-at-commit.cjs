// Loaded with `NODE_OPTIONS=--require` by a chaos test, and by nothing else: it is no part of pao. It kills the process at
// the n-th COMMIT after the file PAO_CRASH_AT was written: {"slot": "w", "nth": 2, "when": "before" | "after"}.
const { readFileSync, renameSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const file = process.env.PAO_CRASH_AT;
const slot = process.argv[2] ?? '';
if (file && isMainThread && /^(api|scheduler|w\d+)$/.test(slot)) {
  const name = Number(process.versions.node.split('.')[0]) >= 22 ? 'better-sqlite3-v13' : 'better-sqlite3';
  const { prototype } = require(name);
  const { prepare } = prototype;
  let seen = '';
  let count = 0;
  /** What is asked of this process, when it is at its turn. */
  const isDue = () => {
    let text;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      return null;
    }
    const order = JSON.parse(text);
    if (!slot.startsWith(order.slot)) return null;
    if (text !== seen) count = 0;
    seen = text;
    count += 1;
    return count === order.nth ? order.when : null;
  };
  const die = () => {
    // Of several processes only one carries it out, and its successor does not do it again.
    try {
      renameSync(file, `${file}.done`);
    } catch {
      return;
    }
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment; nothing more may happen.
    for (;;);
  };
  prototype.prepare = function (sql, ...rest) {
    const statement = prepare.call(this, sql, ...rest);
    if (sql !== 'COMMIT') return statement;
    const run = statement.run.bind(statement);
    statement.run = (...values) => {
      const when = isDue();
      if (when === 'before') die();
      const result = run(...values);
      if (when === 'after') die();
      return result;
    };
    return statement;
  };
}
