/** Builds dist/ unless it was made from just these sources. */
export function buildIfStale(options?: {
  force?: boolean;
  clean?: boolean;
  partial?: boolean;
}): Promise<boolean>;
