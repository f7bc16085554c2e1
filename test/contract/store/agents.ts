import { describe, expect, test } from 'vitest';
import type { AgentToken } from '../../../src/domain/agent.js';
import { newId } from '../../../src/domain/ids.js';
import { agentOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const tokenOf = (agentId: string, hash: string, overrides: Partial<AgentToken> = {}): AgentToken => ({
  id: newId('tok', T0),
  agentId,
  hash,
  prefix: 'pao_abcd',
  label: null,
  scopes: ['tasks:read'],
  createdAt: T0,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
  ...overrides,
});

export function exerciseAgents(subject: Subject): void {
  describe('agents and tokens', () => {
    test('an agent is read as it was written, with its first token', async () => {
      const { store } = subject();
      const agent = agentOf('mail', { title: 'Mail agent' });
      const token = tokenOf(agent.id, 'h1', { label: 'laptop', expiresAt: T0 + 5 });
      await store.createAgent(agent, token);
      expect(await store.getAgent(agent.id)).toEqual(agent);
      expect(await store.findAgentByName('mail')).toEqual(agent);
      expect(await store.findToken('h1')).toEqual({ token, agent });
      expect(await store.listTokens(agent.id)).toEqual([token]);
      expect(await store.getAgent('agt_none')).toBeNull();
      expect(await store.findAgentByName('none')).toBeNull();
      expect(await store.findToken('none')).toBeNull();
    });

    test('a name that is taken is refused, with nothing written; a disabled agent frees its name', async () => {
      const { store } = subject();
      const agent = agentOf('mail');
      await store.createAgent(agent, null);
      const second = agentOf('mail');
      await expect(store.createAgent(second, tokenOf(second.id, 'h'))).rejects.toMatchObject({
        code: 'PAO_CONFLICT',
      });
      expect(await store.findToken('h')).toBeNull();
      expect(await store.updateAgent({ ...agent, disabledAt: T0 + 1 })).toBe(true);
      await store.createAgent(second, null);
      expect((await store.findAgentByName('mail'))?.id).toBe(second.id);
      await expect(store.updateAgent(agent)).rejects.toMatchObject({ code: 'PAO_CONFLICT' });
      expect(await store.updateAgent({ ...agent, id: 'agt_none', name: 'x' })).toBe(false);
    });

    test('is changed only as it was seen, when that is said', async () => {
      const { store } = subject();
      const agent = agentOf('mail');
      await store.createAgent(agent, null);
      const changed = { ...agent, title: 'Mail', updatedAt: agent.updatedAt + 1 };
      expect(await store.updateAgent(changed, agent.updatedAt)).toBe(true);
      expect(await store.updateAgent({ ...changed, title: 'Late' }, agent.updatedAt)).toBe(false);
      expect((await store.getAgent(agent.id))?.title).toBe('Mail');
    });

    test('tokens are added, revoked and remembered as used', async () => {
      const { store } = subject();
      const agent = agentOf('mail');
      await store.createAgent(agent, null);
      const first = tokenOf(agent.id, 'h1');
      const second = tokenOf(agent.id, 'h2');
      await store.createToken(first);
      await store.createToken(second);
      await store.touchToken(first.id, T0 + 5);
      expect(await store.updateToken({ ...second, revokedAt: T0 + 7, expiresAt: T0 + 8 })).toBe(true);
      expect(await store.listTokens(agent.id)).toEqual([
        { ...first, lastUsedAt: T0 + 5 },
        { ...second, revokedAt: T0 + 7, expiresAt: T0 + 8 },
      ]);
      expect((await store.findToken('h2'))?.token.revokedAt).toBe(T0 + 7);
      expect(await store.updateToken({ ...second, id: 'tok_none' })).toBe(false);
      await expect(store.createToken(tokenOf('agt_none', 'h3'))).rejects.toMatchObject({
        code: 'PAO_NOT_FOUND',
      });
    });

    test('tokens that ended long ago are pruned, those that work never', async () => {
      const { store } = subject();
      const agent = agentOf('mail');
      await store.createAgent(agent, null);
      for (const [hash, ended] of [
        ['works', {}],
        ['will-expire', { expiresAt: T0 + 100 }],
        ['expired', { expiresAt: T0 - 1 }],
        ['revoked', { revokedAt: T0 - 1 }],
        ['revoked-lately', { revokedAt: T0, expiresAt: T0 - 1 }],
      ] as const)
        await store.createToken(tokenOf(agent.id, hash, ended));
      const bounds = { runsBefore: 0, eventsBefore: 0, answersBefore: 0, tokensBefore: T0 };
      expect(await store.prune({ ...bounds, limit: 1 })).toBe(1);
      expect(await store.prune({ ...bounds, limit: 100 })).toBe(1);
      expect(await store.prune({ ...bounds, limit: 100 })).toBe(0);
      expect((await store.listTokens(agent.id)).map(({ hash }) => hash)).toEqual([
        'works',
        'will-expire',
        'revoked-lately',
      ]);
    });

    test('agents are listed page by page', async () => {
      const { store } = subject();
      for (const name of ['a', 'b', 'c']) await store.createAgent(agentOf(name), null);
      const first = await store.listAgents({ limit: 2 });
      await store.createAgent(agentOf('d'), null);
      const second = await store.listAgents({ limit: 2, cursor: first.nextCursor as string });
      expect([...first.items, ...second.items].map(({ name }) => name)).toEqual(['c', 'b', 'a']);
      expect(second.nextCursor).toBeNull();
    });
  });
}
