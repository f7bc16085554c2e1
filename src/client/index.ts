/** The typed client of a pao server; importing it does nothing (package export `pao/client`). */
export type * from './api-objects.js';
export { readMessages, type StreamMessage, type StreamOptions } from './event-stream.js';
export { type QueryValue, type TransportOptions } from './http-transport.js';
export { type CallOptions, isIdOf, type ListQuery, PaoClient, pages } from './pao-client.js';
export { ApiError, exitCodeOf } from './problem-error.js';
