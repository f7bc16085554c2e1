import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const under = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join(root, folder, path));
const pages = [join(root, 'README.md'), join(root, 'CHANGELOG.md'), ...under('docs'), ...under('ops')];

/** Without what is code. */
const prose = (text: string) => text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  const headings = readFileSync(file, 'utf8')
    .replace(/^```.*?^```/gms, '')
    .matchAll(/^#{1,6} (.*)$/gm);
  return [...headings].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** Links of a text that lead nowhere. */
function broken(file: string, text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link as string)
    .filter((link) => !/^(https?|mailto):/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : join(dirname(file), decodeURIComponent(path));
      return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
}

test('every link of README, CHANGELOG, docs and ops leads somewhere', () => {
  const wrong = pages.flatMap((file) =>
    broken(file, readFileSync(file, 'utf8')).map((link) => `${relative(root, file)}: ${link}`),
  );
  expect(wrong).toEqual([]);
  expect(pages.length).toBeGreaterThan(70);
});

test('a link to no file or to no heading is seen', () => {
  const page = join(root, 'README.md');
  const text = '[a](docs/none.md) [b](docs/time.md) [c](#nowhere) [d](#configuration) `[e](code)`';
  expect(broken(page, text)).toEqual(['docs/none.md', '#nowhere']);
});

test('every page under docs is reached from the README, by links', () => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, link] of readFileSync(file, 'utf8').matchAll(/\]\(([^)\s#]+)/g)) {
      const target = join(dirname(file), link as string);
      if (target.endsWith('.md') && existsSync(target)) visit(target);
    }
  };
  visit(join(root, 'README.md'));
  // Rules are linked by their folder; alerts link to their runbooks.
  const left = under('docs').filter((file) => !seen.has(file) && !/docs\/(lint|runbooks)\//.test(file));
  expect(left.map((file) => relative(root, file))).toEqual([]);
});
