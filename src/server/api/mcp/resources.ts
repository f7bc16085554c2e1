import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import type { ApiServices, Caller } from '../operation.js';
import { findRun } from '../operations/runs.js';
import { findTask } from '../task-service.js';
import { runView, taskView } from '../views.js';

const json = (uri: URL, value: unknown) => ({
  contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify(value, null, 2) }],
});

/** `pao://task/{id}` and `pao://run/{id}`, for clients that attach what a person points at. */
export function registerResources(
  server: McpServer,
  { caller, services }: { caller: Caller; services: ApiServices },
): void {
  if (hasScope(caller.scopes, 'tasks:read')) {
    server.registerResource(
      'task',
      new ResourceTemplate('pao://task/{id}', { list: undefined }),
      { title: 'A task', description: 'A task by its name or id', mimeType: 'application/json' },
      async (uri, { id }) =>
        json(uri, taskView(await findTask(String(id), services, caller), services.clock.now())),
    );
  }
  if (hasScope(caller.scopes, 'runs:read')) {
    server.registerResource(
      'run',
      new ResourceTemplate('pao://run/{id}', { list: undefined }),
      { title: 'A run', description: 'A run with its steps', mimeType: 'application/json' },
      async (uri, { id }) => {
        const run = await findRun(String(id), services, caller);
        return json(uri, runView(run, await services.store.listSteps(run.id)));
      },
    );
  }
}

/** What a person can ask for by name. */
export function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    'morning_briefing_setup',
    {
      title: 'Set up a morning briefing',
      description: 'Asks what is needed, then creates a task that sends a briefing each weekday morning',
    },
    () => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: [
              'Set up a weekday morning briefing in pao for me.',
              '1. Call tool_list and see which calendar, weather, mail, chat and message tools there are; say which are missing.',
              '2. Ask me for the time, my time zone and where the message goes, if I have not said it.',
              '3. Call schedule_preview and read me its words and warnings.',
              '4. Call task_create: a step for each source with on_error: continue, one that writes the text, one that sends it with an idempotency_key of ${run.local_date}.',
              '5. Call task_run_now with wait: "30s", and tell me what arrived and what did not.',
            ].join('\n'),
          },
        },
      ],
    }),
  );
}
