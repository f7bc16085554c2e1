import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { readJsonInput } from '../../cli/json-input.js';
import { jsonText } from '../../cli/json-text.js';
import type { ToolCallObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { formatDuration } from '../../domain/duration.js';

/** Calls one tool, outside of any run. */
export default class ToolCall extends BaseCommand<typeof ToolCall> {
  static override summary = 'Call a tool once and print what it answers, as JSON';
  static override description =
    'The call goes out from the server, with its secrets and its guard, as a step of a run would; it is not repeated.';
  static override examples = [
    '<%= config.bin %> tool call weather.forecast --input \'{"latitude": 47.01, "longitude": 28.86}\'',
    '<%= config.bin %> tool call telegram.send_message --input @message.json',
  ];
  static override args = { address: Args.string({ description: 'Its address', required: true }) };
  static override flags = {
    input: Flags.string({
      char: 'i',
      summary: 'What to give it: JSON, @FILE, or - for stdin',
      default: '{}',
      helpValue: 'JSON',
    }),
    timeout: durationFlag({ summary: 'How long it may take, such as 2m; 1m when left out' }),
  };

  async run(): Promise<ToolCallObject> {
    const input = await readJsonInput(this.flags.input, '--input', this.process);
    const client = new PaoClient(this.connection());
    const answer = await client.callTool(this.args.address, input, {
      toolTimeoutMs: this.flags.timeout,
      signal: this.signal,
    });
    this.out.line(jsonText(answer.output));
    const { duration_ms: duration, usage } = answer;
    const took = duration === undefined ? '' : ` in ${formatDuration(duration)}`;
    const tokens = usage ? `, ${usage.input_tokens} tokens in, ${usage.output_tokens} out` : '';
    this.out.success(`${this.args.address} answered${took}${tokens}`);
    return answer;
  }
}
