/** Keys that reach the prototype of an object in careless code; refused wherever data comes in. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
