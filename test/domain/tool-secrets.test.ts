import { describe, expect, it } from 'vitest';
import { secretNamesIn } from '../../src/domain/tool-secrets.js';

describe('the secrets of a tool', () => {
  it('are found wherever a connector can refer to them', () => {
    const tool = {
      http: {
        url: 'https://api.telegram.org/bot${secrets.BOT}/sendMessage',
        headers: { a: 'Bearer ${ secrets.KEY } ${secrets.BOT}' },
        body: [{ deep: '${secrets.DEEP}' }, '${input.secrets}'],
      },
    };
    expect(secretNamesIn(tool)).toEqual(['BOT', 'DEEP', 'KEY']);
    expect(secretNamesIn(undefined)).toEqual([]);
  });
});
