const ON_THIS_MACHINE = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The page of the dashboard where a person decides an approval.
 * @param address where people reach the API, with or without a slash at its end; it may have a path (a proxy's).
 */
export const approvalLink = (address: string, approvalId: string): string =>
  `${address.replace(/\/+$/, '')}/#approval=${encodeURIComponent(approvalId)}`;

/** Whether an address leads nowhere from another machine, such as a phone. */
export const isOnThisMachine = (address: string): boolean =>
  URL.canParse(address) && ON_THIS_MACHINE.has(new URL(address).hostname);
