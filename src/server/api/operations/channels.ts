import { CHANNEL_PREFIX, hasButtons } from '../../../domain/channel.js';
import { listChannelProblems } from '../../deliver/questions/channel-problem.js';
import { type Operation, operation } from '../operation.js';
import { instant } from '../views.js';

export const channelOperations: Operation[] = [
  operation({
    name: 'channel_list',
    method: 'GET',
    path: '/v1/channels',
    summary: 'List the channels of the configuration, and what keeps answers from coming in by them',
    scope: 'tools:read',
    status: 200,
    answer: 'ChannelPage',
    async handle({ services }) {
      const problems = await listChannelProblems(services.store);
      const items = Object.entries(services.config.channels).map(([name, channel]) => {
        const buttons = hasButtons(channel);
        const problem = buttons ? problems.get(name) : undefined;
        return {
          name,
          address: CHANNEL_PREFIX + name,
          kind: channel.kind,
          buttons,
          problem: problem === undefined ? null : { ...problem, since: instant(problem.since) },
        };
      });
      return { body: { items, next_cursor: null } };
    },
  }),
];
