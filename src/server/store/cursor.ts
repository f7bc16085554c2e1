import { invalidInput } from '../../domain/errors.js';

/** Writes the place a list stopped at as an opaque text. */
export function encodeCursor(place: number | string): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/**
 * Reads the number in a cursor made by {@link encodeCursor}.
 * @throws PaoError PAO_INPUT_INVALID when the text is not such a cursor.
 */
export function decodeNumberCursor(cursor: string): number {
  const place = decode(cursor);
  if (typeof place !== 'number' || !Number.isSafeInteger(place)) throw badCursor();
  return place;
}

/**
 * Reads the text in a cursor made by {@link encodeCursor}.
 * @throws PaoError PAO_INPUT_INVALID when the text is not such a cursor.
 */
export function decodeTextCursor(cursor: string): string {
  const place = decode(cursor);
  if (typeof place !== 'string') throw badCursor();
  return place;
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw badCursor();
  }
}

function badCursor() {
  return invalidInput('The cursor is not one that a list gave.', [
    {
      pointer: '/cursor',
      message: 'is not a cursor',
      hint: 'Pass next_cursor of the page before unchanged, or leave it out to begin at the start.',
    },
  ]);
}
