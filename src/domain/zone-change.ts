/** Key of the store's meta table under which the newest change of the zone database is kept, as JSON. */
export const ZONE_CHANGE_KEY = 'zone_database_change';

/** A change of the zone database (another Node), and what it did to the due times. Times are epoch milliseconds. */
export interface ZoneChange {
  from: string;
  to: string;
  at: number;
  /** Tasks whose due time moved. */
  moved: number;
  /** The first hundred of them; `to` is null when there is no occurrence any more. */
  tasks: { id: string; name: string; from: number; to: number | null }[];
}

/** The newest change; null when there never was one. */
export async function lastZoneChange(store: {
  getMeta(key: string): Promise<string | null>;
}): Promise<ZoneChange | null> {
  const text = await store.getMeta(ZONE_CHANGE_KEY);
  return text === null ? null : (JSON.parse(text) as ZoneChange);
}
