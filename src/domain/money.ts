/** Money is counted in whole billionths of a US dollar: sums stay exact, and a single token still costs something. */
export const NANO_USD = 1_000_000_000;
