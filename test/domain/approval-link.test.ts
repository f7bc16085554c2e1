import { expect, test } from 'vitest';
import { approvalLink, isOnThisMachine } from '../../src/domain/approval-link.js';

test.each([
  ['https://pao.example.org', 'https://pao.example.org/#approval=apr_1'],
  ['https://pao.example.org/', 'https://pao.example.org/#approval=apr_1'],
  ['https://example.org/pao/', 'https://example.org/pao/#approval=apr_1'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/#approval=apr_1'],
])('the link to an approval below %s is %s', (address, link) => {
  expect(approvalLink(address, 'apr_1')).toBe(link);
});

test.each([
  ['http://127.0.0.1:8080', true],
  ['http://localhost', true],
  ['http://[::1]:8080', true],
  ['https://pao.example.org', false],
  ['http://192.168.1.5:8080', false],
])('%s leads nowhere from another machine: %s', (address, expected) => {
  expect(isOnThisMachine(address)).toBe(expected);
});
