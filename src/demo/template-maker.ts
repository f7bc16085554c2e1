import { join } from 'node:path';
import { stopDemoGroup } from './demo-group.js';
import { DEMO_FOLDER } from './init-template.js';

export { chooseTimeZone } from './choose-time-zone.js';
export { initTemplate } from './init-template.js';

/** Stops the demo servers that were started for a folder. @returns those that ran. */
export const stopDemo = (directory: string) => stopDemoGroup(join(directory, DEMO_FOLDER));
