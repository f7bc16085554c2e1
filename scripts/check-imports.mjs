#!/usr/bin/env node
// Holds the house together (architecture.md): who may import whom, which package is used where, and that time comes from a clock.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** Where a file may look, by the longest prefix of its own path; what is not listed may look nowhere else in src. */
const LAYERS = {
  'domain/': ['domain/'],
  'client/': ['client/', 'domain/'],
  // What starting and looking after the local system share lies in cli/ and knows the supervisor.
  'cli/': [
    'cli/',
    'client/',
    'domain/',
    'server/supervisor/',
    'server/config.ts',
    // Commands of suites share how a suite is shown; what is shown is the framework's.
    'checks/check.ts',
    'checks/runner.ts',
    'checks/select-checks.ts',
    'checks/reporters/',
    'server/maintenance/',
    'server/secrets/',
    // Where no server runs, `pao secret list` looks itself.
    'server/tools/secrets.ts',
    'server/simulate/',
    'server/store/database-url.ts',
  ],
  'checks/': ['checks/', 'cli/', 'client/', 'domain/', 'demo/'],
  // A check sees the system as a user does; these kinds look inside by their nature.
  'checks/lint/': ['checks/', 'cli/', 'domain/', 'server/'],
  'checks/validate-scheduler/': ['checks/', 'cli/', 'domain/', 'server/'],
  'checks/in-process/': ['checks/', 'domain/', 'server/'],
  'checks/final-validation/': [
    'checks/',
    'cli/',
    'client/',
    'domain/',
    'demo/',
    'server/maintenance/old-database.ts',
  ],
  // Doctor needs nothing running: it looks where the services would.
  'checks/check-security/': ['checks/', 'domain/', 'server/'],
  'checks/doctor/': ['checks/', 'cli/', 'client/', 'domain/', 'server/'],
  'commands/': [
    'cli/',
    'client/',
    'checks/',
    'demo/',
    'domain/',
    'server/supervisor/',
    'server/config.ts',
    'server/store/',
    'server/maintenance/',
    'server/secrets/',
    'server/simulate/',
    'server/telemetry/health.ts',
  ],
  // `pao start --local` is the same command as `pao start local`.
  'commands/start/': [
    'commands/start/',
    'cli/',
    'client/',
    'domain/',
    'server/supervisor/',
    'server/config.ts',
  ],
  // Runs in browsers: of the client it knows the form of objects alone.
  'dashboard/': ['dashboard/', 'domain/', 'client/api-objects.ts'],
  'demo/': ['demo/', 'domain/', 'server/supervisor/make-folder.ts'],
  'server/': ['server/', 'domain/'],
  ...Object.fromEntries(
    ['api/', 'scheduler/', 'worker/'].map((service) => [
      `server/${service}`,
      // Services meet through the contracts of the store and the bus alone; a thread opens the store anew.
      [
        `server/${service}`,
        'server/store/store.ts',
        'server/store/open.ts',
        'server/store/cursor.ts',
        'server/bus/bus.ts',
        'server/telemetry/',
        'server/tools/',
        'server/budget/',
        // What runs, services and notices put into the outbox.
        'server/deliver/',
        'server/config.ts',
        'domain/',
      ],
    ]),
  ),
  'server/store/': ['server/store/', 'domain/'],
  'server/bus/': ['server/bus/', 'server/supervisor/service-messages.ts', 'domain/'],
  'server/tools/': ['server/tools/', 'server/secrets/', 'domain/'],
  // The store of secrets is a file of its own; it borrows the lock that goes with its process.
  'server/secrets/': ['server/secrets/', 'server/store/sqlite/exclusive-file.ts', 'domain/'],
};

/** Packages that only some folders may use. */
const PACKAGES = [
  { names: ['better-sqlite3', 'better-sqlite3-v13'], folders: ['server/store/'] },
  // The bus listens on the database (LISTEN); it knows no table.
  { names: ['pg'], folders: ['server/store/', 'server/bus/'] },
  { names: ['ioredis'], folders: ['server/bus/'] },
  {
    names: ['undici', '@modelcontextprotocol/client'],
    folders: ['server/tools/', 'client/', 'checks/', 'demo/'],
  },
  {
    names: ['@modelcontextprotocol/server', '@modelcontextprotocol/node'],
    folders: ['server/api/mcp/', 'demo/'],
  },
  { names: ['fastify', '@fastify/', 'fastify-type-provider-zod'], folders: ['server/api/'] },
  { names: ['@oclif/core', 'listr2'], folders: ['cli/', 'commands/'] },
  // Heavy, and loaded when there is a screen to draw on.
  { names: ['ink', 'react', 'wrap-ansi'], folders: ['cli/top/'] },
];
const NOT_IN_DOMAIN = /^node:(fs|net|http|https|http2|child_process|dgram|tls|dns|worker_threads|os)(\/|$)/;

/** Folders in which time is a parameter (product.md, promise 6), and the files that are the source of it. */
const CLOCKED = ['domain/', 'server/scheduler/', 'server/worker/', 'server/store/'];
const CLOCKS = ['domain/clock.ts', 'server/worker/lease-keeper.ts'];

const problems = [];
const files = readdirSync(source, { recursive: true })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
  .sort();
for (const file of files) check(file);
for (const problem of problems) console.error(problem);
console.log(`${files.length} files, ${problems.length} against the import rules`);
process.exitCode = problems.length === 0 ? 0 : 1;

function check(file) {
  const text = readFileSync(join(source, file), 'utf8');
  const { module, program } = parseSync(file, text);
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest),
    ...module.staticExports.flatMap(({ entries }) => entries.map(({ moduleRequest }) => moduleRequest)),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => {
      const literal = /^['"]([^'"]+)['"]$/.exec(text.slice(start, end));
      return literal && { value: literal[1], start };
    }),
  ].filter(Boolean);
  const complain = (start, what) =>
    problems.push(`src/${file}:${text.slice(0, start).split('\n').length} ${what}`);
  for (const { value, start } of requests) {
    const complaint = value.startsWith('.') ? aboutModule(file, value) : aboutPackage(file, value);
    if (complaint) complain(start, complaint);
  }
  if (CLOCKED.some((folder) => file.startsWith(folder)) && !CLOCKS.includes(file)) {
    walk(program, (node) => {
      if (readsTheClock(node)) complain(node.start, 'asks the machine for the time; take it from a Clock');
    });
  }
}

function aboutModule(file, specifier) {
  const path = resolve(source, dirname(file), specifier);
  const typescript = ['.ts', '.tsx'].map((end) => path.replace(/\.js$/, end)).find((it) => existsSync(it));
  const target = relative(source, typescript ?? path).replaceAll('\\', '/');
  if (target.startsWith('..'))
    return target === '../package.json' ? null : `imports ${specifier} from outside src`;
  const layer = Object.keys(LAYERS)
    .filter((prefix) => file.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  const allowed = LAYERS[layer] ?? [];
  return allowed.some((prefix) => target.startsWith(prefix)) ? null : `may not import src/${target}`;
}

function aboutPackage(file, name) {
  if (file.startsWith('domain/') && NOT_IN_DOMAIN.test(name)) return `is pure and may not use ${name}`;
  const rule = PACKAGES.find(({ names }) =>
    names.some((known) => name === known || name.startsWith(known.endsWith('/') ? known : `${known}/`)),
  );
  if (!rule || rule.folders.some((folder) => file.startsWith(folder))) return null;
  return `may not use ${name}: that is for ${rule.folders.join(', ')}`;
}

function readsTheClock({ type, callee, arguments: given }) {
  if (type === 'NewExpression') return callee.name === 'Date' && given.length === 0;
  if (type !== 'CallExpression' || callee.type !== 'MemberExpression' || callee.property.name !== 'now')
    return false;
  return callee.object.name === 'Date' || callee.object.name === 'performance';
}

function walk(node, visit) {
  if (Array.isArray(node)) for (const child of node) walk(child, visit);
  else if (node && typeof node === 'object') {
    if (typeof node.type === 'string') visit(node);
    for (const key of Object.keys(node)) walk(node[key], visit);
  }
}
