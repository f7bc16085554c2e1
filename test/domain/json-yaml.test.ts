import { describe, expect, it } from 'vitest';
import { parseYamlDocuments, withPositions, YamlSyntaxError } from '../../src/domain/yaml-position.js';

const failure = async (text: string): Promise<YamlSyntaxError> => {
  const outcome = await parseYamlDocuments(text, 'task.yaml').catch((error: unknown) => error);
  if (outcome instanceof YamlSyntaxError) return outcome;
  throw new Error(`not refused: ${JSON.stringify(outcome)}`);
};

describe('YAML', () => {
  it('gives all documents of a file, each with the place of every value', async () => {
    const [first, second] = await parseYamlDocuments(
      'name: a\npipeline:\n  - { id: x, with: { count: five } }\n---\n---\nname: b\n',
      'f.yaml',
    );
    expect(first?.value).toEqual({ name: 'a', pipeline: [{ id: 'x', with: { count: 'five' } }] });
    expect(first?.locate('/pipeline/0/with/count')).toEqual({ line: 3, column: 29 });
    expect(first?.locate('/pipeline/0/with/count', 'key')).toEqual({ line: 3, column: 22 });
    expect(first?.locate('/pipeline/0/with/nothing/there')).toEqual({ line: 3, column: 20 });
    expect(first?.locate('/pipeline/0')).toEqual({ line: 3, column: 5 });
    expect(second?.value).toEqual({ name: 'b' });
    expect(second?.locate('/name')).toEqual({ line: 6, column: 7 });
  });

  it('puts places before problems', async () => {
    const [document] = await parseYamlDocuments('a:\n  b/c: 1\n', 'f.yaml');
    if (document === undefined) throw new Error('no document');
    // A block is found by its name.
    expect(document.locate('/a')).toEqual({ line: 1, column: 1 });
    expect(withPositions([{ pointer: '/a/b~1c', message: 'is wrong' }], 'f.yaml', document)[0]?.message).toBe(
      'f.yaml:2:8 /a/b~1c is wrong',
    );
  });

  it('reads JSON, anchors and aliases', async () => {
    const [json] = await parseYamlDocuments('{"a": [1, true, null, "x"]}', 'f.json');
    expect(json?.value).toEqual({ a: [1, true, null, 'x'] });
    const [alias] = await parseYamlDocuments('x: &r { max: 2 }\ny: *r\n', 'f.yaml');
    expect(alias?.value).toEqual({ x: { max: 2 }, y: { max: 2 } });
    expect(alias?.locate('/y/max')).toEqual({ line: 1, column: 14 });
  });

  const bomb = [
    'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
    ...[1, 2, 3, 4, 5, 6, 7, 8].map(
      (n) =>
        `a${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
    ),
  ].join('\n');
  it.each([
    ['a duplicate key', 'a: 1\na: 2\n', 2, 1],
    ['a tab', 'a:\n\tb: 1\n', 2, 1],
    ['an open bracket', 'a: [1, 2\nb: 3\n', 2, 1],
    ['an object as key', 'a: {{x}}\n', 1, 5],
    ['a key of the prototype', 'a:\n  __proto__: 1\n', 2, 3],
    ['a tag', 'a: !!binary eA==\n', 1, 13],
    ['an alias to nothing', 'a: *q\n', 1, 4],
    ['an alias to itself', 'a: &x [*x]\n', 1, 8],
    ['a number that is not finite', 'a: .inf\n', 1, 4],
    ['a number that is too large', 'a: 9007199254740993\n', 1, 4],
    ['merge keys', 'a: &a { q: 1 }\nb:\n  <<: *a\n', 3, 3],
  ])('refuses %s with line and column', async (_, text, line, column) => {
    const error = await failure(text);
    expect(error.position).toEqual({ line, column });
    expect(error.message).toMatch(/^task\.yaml:\d+:\d+: ./);
    expect(error.exitCode).toBe(2);
  });

  it('takes long texts in blocks, whatever they look like', async () => {
    const text = `${'        [ - a: {\n'.repeat(100)}`;
    for (const style of ['|', '>', '|-']) {
      const error = await failure(`a:\n  - b: ${style}\n${text}c: ${'['.repeat(300)}\n`);
      expect(error).toMatchObject({
        position: { line: 103 },
        message: expect.stringContaining('nested too deep'),
      });
    }
    const [read] = await parseYamlDocuments(`a: |\n${text}`, 'task.yaml');
    expect(read?.value).toEqual({ a: text.replaceAll('        ', '') });
  });

  it('refuses alias bombs, depth and size', async () => {
    expect((await failure(bomb)).message).toContain('too many values');
    expect((await failure(`${'['.repeat(40)}${']'.repeat(40)}`)).message).toContain('deeper than 32');
    expect((await failure('['.repeat(200_000))).message).toContain('nested too deep');
    expect((await failure(`a: ${'x'.repeat(1_100_000)}`)).message).toContain('larger than');
  });
});
