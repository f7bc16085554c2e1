import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { parseDuration } from '../domain/duration.js';

// One door to oclif's builders: its main entry would bring all of oclif into every command.
export { Args, Flags };

/** A flag that takes a duration such as `30s` or `1h30m` and gives milliseconds. */
export const durationFlag = Flags.custom<number>({
  helpValue: 'DURATION',
  parse: async (text) => parseDuration(text),
});
