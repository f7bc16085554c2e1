import { expect, test } from 'vitest';
import { isPausedByPao, PAUSE_REASON } from '../../src/domain/paused-by-pao.js';

test.each([
  PAUSE_REASON.budget('2 of 2 runs'),
  PAUSE_REASON.failures(12, 'the printer is on fire'),
  PAUSE_REASON.error('no such zone'),
])('pao knows its own reason: %s', (reason) => {
  expect(isPausedByPao({ state: 'paused', state_reason: reason })).toBe(true);
  expect(isPausedByPao({ state: 'active', state_reason: reason })).toBe(false);
});

test.each(['on holiday', 'my budget: later', 'failed often', null])('a person paused it: %s', (reason) => {
  expect(isPausedByPao({ state: 'paused', state_reason: reason })).toBe(false);
});
