/** Label of a token that opens the dashboard: the page takes one of its own in its place, and ends it. */
export const LINK_TOKEN = 'dashboard link';

/** Label of the token a tab of the dashboard works with; signing out ends it. */
export const TAB_TOKEN = 'dashboard';

/** How long a link that was not followed is good for, and a tab signed in by one, seconds. */
export const LINK_SECONDS = 300;
export const TAB_SECONDS = 12 * 3600;
