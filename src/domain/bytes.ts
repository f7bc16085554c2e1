const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Writes a number of bytes as a person would: `812 B`, `4.2 MiB`, `18 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 100 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '');
  return `${text} ${UNITS[unit]}`;
}
