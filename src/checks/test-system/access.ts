import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { see } from '../make.js';
import { probe } from '../probe.js';

const group = 'Access';
const HINT = 'pao check security';
/** Of the form of a token, with a check sum that is not right, so that it can not be anyone's. */
const FOREIGN_TOKEN = `pao_${'0'.repeat(43)}`;

/** Who may come in, and how a refusal looks. */
export const accessChecks: Check<LiveSystem>[] = [
  {
    id: 'auth.required',
    title: 'Without a token nothing is shown',
    group,
    requires: ['server'],
    async run(live, tools) {
      const paths = [
        '/v1/tasks',
        '/v1/runs',
        '/v1/agents',
        '/v1/tools',
        '/v1/events',
        '/v1/audit',
        '/metrics',
      ];
      const seen: Record<string, number> = {};
      for (const path of paths) {
        const { status, headers } = await probe(`${live.url}${path}`, tools);
        seen[path] = status;
        ensureEqual(`The status of GET ${path} without a token`, status, 401, see(live, tools, HINT));
        ensure(
          headers.get('www-authenticate')?.startsWith('Bearer'),
          `The refusal of GET ${path} does not say WWW-Authenticate: Bearer.`,
          see(live, tools, HINT),
        );
      }
      return seen;
    },
  },
  {
    id: 'auth.foreign',
    title: 'A token that nobody has is refused',
    group,
    requires: ['server'],
    async run(live, tools) {
      const { status } = await probe(`${live.url}/v1/tasks`, { ...tools, token: FOREIGN_TOKEN });
      ensureEqual('The status of GET /v1/tasks with such a token', status, 401, see(live, tools, HINT));
      return { status };
    },
  },
  {
    id: 'auth.accepted',
    title: 'The token in use is taken',
    group,
    requires: ['server'],
    async run(live, tools) {
      const { status, body } = await probe(`${live.url}/v1/agents/me`, { ...tools, token: live.token });
      ensureEqual('The status of GET /v1/agents/me', status, 200, see(live, tools, 'pao agent list'));
      const { name, scopes } = body as { name?: string; scopes?: string[] };
      return { agent: name, scopes };
    },
  },
  {
    id: 'problems.form',
    title: 'Errors are problem documents that name every mistake',
    group,
    requires: ['server'],
    needs: ['auth.accepted'],
    async run(live, tools) {
      const hint = see(live, tools, 'pao logs --level warn');
      const task = {
        name: 'not a name',
        schedule: { kind: 'cron', expr: '61 * * * *', timezone: 'Mars/Base' },
      };
      const answers = {
        missing: await probe(`${live.url}/v1/tasks/tsk_none`, { ...tools, token: live.token }),
        malformed: await probe(`${live.url}/v1/tasks`, {
          ...tools,
          method: 'POST',
          token: live.token,
          body: '{"name":',
        }),
        invalid: await probe(`${live.url}/v1/tasks`, {
          ...tools,
          method: 'POST',
          token: live.token,
          body: task,
        }),
      };
      const expected = { missing: 404, malformed: 400, invalid: 422 };
      for (const [name, { status, headers, body }] of Object.entries(answers)) {
        ensureEqual(`The status of a ${name} thing`, status, expected[name as keyof typeof expected], hint);
        const type = headers.get('content-type') ?? 'nothing';
        ensure(
          type.startsWith('application/problem+json'),
          `A ${status} is ${type}, expected application/problem+json.`,
          hint,
        );
        const problem = body as Record<string, unknown>;
        const lacking = ['type', 'title', 'status', 'detail', 'request_id'].filter(
          (key) => !(key in problem),
        );
        ensure(lacking.length === 0, `The document of a ${status} lacks ${lacking.join(', ')}.`, hint, {
          problem,
        });
      }
      const { errors = [] } = answers.invalid.body as { errors?: { pointer?: string }[] };
      const pointers = errors.map(({ pointer }) => pointer);
      ensure(
        pointers.includes('/name') && pointers.includes('/pipeline'),
        'Not every mistake is listed.',
        hint,
        {
          errors,
        },
      );
      return { statuses: expected, pointers };
    },
  },
];
