/** Sees to it that prometheus and promtool are on the PATH, from Debian's packages when we are root. @throws Error that says how to get them. */
export function installPrometheus(): void;
