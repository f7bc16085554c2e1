import { describe, expect, test } from 'vitest';
import type { Hook } from '../../../src/domain/hook.js';
import { newId } from '../../../src/domain/ids.js';
import { seed, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

export function exerciseHooks(subject: Subject): void {
  describe('hooks', () => {
    const hookOf = (agentId: string, name: string): Hook => ({
      id: newId('hok', T0),
      agentId,
      name,
      topic: 'ci.done',
      scheme: 'standard',
      secret: 'whsec_MTIz',
      oldSecret: null,
      oldSecretUntil: null,
      allowRepeats: false,
      createdAt: T0,
      updatedAt: T0,
      lastReceivedAt: null,
    });

    test('hooks are kept, listed newest first, changed and deleted', async () => {
      const { store } = subject();
      const mine = await seed(store);
      const other = await seed(store);
      const first = hookOf(mine.agent.id, 'ci');
      const second = { ...hookOf(mine.agent.id, 'shop'), scheme: 'github' as const, allowRepeats: true };
      const third = hookOf(other.agent.id, 'ci');
      for (const hook of [first, second, third]) await store.createHook(hook);
      expect(await store.getHook(second.id)).toEqual(second);
      expect((await store.listHooks({ limit: 9 })).items).toEqual([third, second, first]);
      const page = await store.listHooks({ agentId: mine.agent.id, limit: 1 });
      expect(page.items).toEqual([second]);
      const cursor = page.nextCursor as string;
      expect((await store.listHooks({ agentId: mine.agent.id, limit: 1, cursor })).items).toEqual([first]);
      const rotated = {
        ...first,
        secret: 'new',
        oldSecret: first.secret,
        oldSecretUntil: T0 + 9,
        updatedAt: T0 + 1,
      };
      expect(await store.updateHook(rotated)).toBe(true);
      await store.touchHook(first.id, T0 + 5);
      expect(await store.getHook(first.id)).toEqual({ ...rotated, lastReceivedAt: T0 + 5 });
      expect([await store.deleteHook(first.id), await store.deleteHook(first.id)]).toEqual([true, false]);
      expect([await store.getHook(first.id), await store.updateHook(rotated)]).toEqual([null, false]);
    });

    test('an agent has a name once', async () => {
      const { store } = subject();
      const { agent } = await seed(store);
      await store.createHook(hookOf(agent.id, 'ci'));
      await expect(store.createHook(hookOf(agent.id, 'ci'))).rejects.toMatchObject({ code: 'PAO_CONFLICT' });
      await expect(store.createHook(hookOf('agt_none', 'ci'))).rejects.toMatchObject({
        code: 'PAO_NOT_FOUND',
      });
    });
  });
}
