import { join } from 'node:path';
import { sqliteDriverName } from '../../server/store/sqlite/open.js';
import { type Check, CheckFailure } from '../check.js';
import type { SchedulerProof } from './proof.js';

const group = 'Modules';

/** Loads a module from where pao is installed, and says what it gave. */
const LOAD = (name: string, use: string): string =>
  `const load = require('node:module').createRequire(process.argv[1]);
   const it = load(${JSON.stringify(name)});
   console.log(JSON.stringify((${use})(it)));`;

/** Native modules, each in a process of its own. */
export const moduleChecks: Check<SchedulerProof>[] = [
  {
    id: 'modules.sqlite',
    title: 'The SQLite driver loads and answers',
    group,
    run: (proof, { signal }) => {
      const name = sqliteDriverName();
      const use =
        "(Driver) => new Driver(':memory:').prepare('SELECT sqlite_version() AS sqlite, 6 * 7 AS answer').get()";
      return loaded(proof, name, use, (seen) => seen['answer'] === 42, 'npm rebuild better-sqlite3', signal);
    },
  },
  {
    id: 'modules.parser',
    title: 'The parser of pao lint-scheduler loads and parses',
    group,
    run: (proof, { signal }) => {
      const use =
        "(parser) => ({ statements: parser.parseSync('a.ts', 'const a: number = 1; a;').program.body.length })";
      return loaded(
        proof,
        'oxc-parser',
        use,
        (seen) => seen['statements'] === 2,
        'npm install --include=optional pao',
        signal,
      );
    },
  },
];

async function loaded(
  { runNode, packageRoot }: SchedulerProof,
  name: string,
  use: string,
  isRight: (seen: Record<string, unknown>) => boolean,
  hint: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runNode(
    LOAD(name, use),
    [join(packageRoot, 'package.json')],
    signal,
  );
  const reason = stderr.split('\n').find((line) => /Error|error/.test(line)) ?? stderr.slice(0, 300);
  if (code !== 0) {
    throw new CheckFailure(`${name} can not be loaded on Node ${process.version}: ${reason.trim()}`, hint, {
      name,
      code,
    });
  }
  const seen = JSON.parse(stdout) as Record<string, unknown>;
  if (isRight(seen)) return { module: name, ...seen };
  throw new CheckFailure(`${name} loads, but answers wrongly: ${stdout.trim()}`, hint, { name, seen });
}
