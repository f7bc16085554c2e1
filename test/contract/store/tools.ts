import { describe, expect, test } from 'vitest';
import type { Tool } from '../../../src/domain/tool.js';
import { T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const stored = (address: string, title = address) => ({
  tool: { address, title, kind: 'builtin', input_schema: { type: 'object' }, side_effect: 'read' } as Tool,
  createdBy: 'agt_1',
  createdAt: T0,
  updatedAt: T0,
});

export function exerciseTools(subject: Subject): void {
  describe('tools', () => {
    test('a tool is read as it was written, and replaced with its maker kept', async () => {
      const { store } = subject();
      const first = await store.putTool(stored('mail.send'));
      expect(first.created).toBe(true);
      expect(await store.getTool('mail.send')).toEqual({ ...stored('mail.send'), version: first.version });
      const second = await store.putTool({
        ...stored('mail.send', 'Send'),
        createdBy: 'agt_2',
        createdAt: T0 + 9,
        updatedAt: T0 + 9,
      });
      expect(second.created).toBe(false);
      expect(second.version).toBeGreaterThan(first.version);
      expect(await store.getTool('mail.send')).toEqual({
        ...stored('mail.send', 'Send'),
        updatedAt: T0 + 9,
        version: second.version,
      });
      expect(await store.getTool('mail.none')).toBeNull();
    });

    test('one that must be new is refused when it is there', async () => {
      const { store } = subject();
      await store.putTool(stored('a.b'), { create: true });
      await expect(store.putTool(stored('a.b', 'other'), { create: true })).rejects.toMatchObject({
        code: 'PAO_CONFLICT',
      });
      expect((await store.getTool('a.b'))?.tool.title).toBe('a.b');
    });

    test('many are put together', async () => {
      const { store } = subject();
      await store.putTool(stored('a.b'));
      expect(await store.putTools([stored('a.b'), stored('a.c'), stored('a.d')])).toEqual({
        created: 2,
        replaced: 1,
      });
    });

    test('any change is seen in one number', async () => {
      const { store, reopen } = subject();
      const other = await reopen();
      const versions = [await store.toolsVersion()];
      await store.putTool(stored('a.b'));
      versions.push(await other.toolsVersion());
      await store.putTool(stored('a.b', 'x'));
      versions.push(await other.toolsVersion());
      expect(await store.deleteTool('a.b')).toBe(true);
      versions.push(await other.toolsVersion());
      expect(await store.deleteTool('a.b')).toBe(false);
      expect(await other.toolsVersion()).toBe(versions.at(-1));
      await store.putTool(stored('a.b'));
      versions.push(await other.toolsVersion());
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    });

    test('tools are listed by address, by prefix and page by page', async () => {
      const { store } = subject();
      await store.putTools(['b.x', 'a.y', 'a.x', 'ab.z'].map((address) => stored(address)));
      const find = async (query: object) =>
        (await store.listTools({ limit: 10, ...query })).items.map(({ tool }) => tool.address);
      expect(await find({})).toEqual(['a.x', 'a.y', 'ab.z', 'b.x']);
      expect(await find({ prefix: 'a.' })).toEqual(['a.x', 'a.y']);
      expect(await find({ prefix: 'a.y' })).toEqual(['a.y']);
      const first = await store.listTools({ limit: 3 });
      await store.putTool(stored('a.a'));
      const second = await store.listTools({ limit: 3, cursor: first.nextCursor as string });
      expect(second.items.map(({ tool }) => tool.address)).toEqual(['b.x']);
      expect(second.nextCursor).toBeNull();
    });
  });
}
