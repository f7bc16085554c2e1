import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../../domain/clock.js';
import { counted } from '../../domain/counted.js';
import { formatDuration } from '../../domain/duration.js';
import { nearest } from '../../domain/nearest.js';
import { isChannel } from '../../domain/channel.js';
import { Redactor } from '../../domain/redact.js';
import type { Task } from '../../domain/task.js';
import type { ServerImport, Tool } from '../../domain/tool.js';
import { secretNamesIn } from '../../domain/tool-secrets.js';
import { listChannelProblems } from '../../server/deliver/questions/channel-problem.js';
import { builtinTools } from '../../server/tools/builtin-tools.js';
import { createToolCallers } from '../../server/tools/tool-callers.js';
import type { CheckTools } from '../check.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful, some } from './finding.js';
import { probeOrigins } from './probe-origin.js';
import { secretsOf } from './secrets.js';

const MCP_TIMEOUT_MS = 10_000;
const LLM_TIMEOUT_MS = 5000;
const SKEW_MS = 30_000;

export const toolChecks: readonly DoctorCheck[] = [
  {
    id: 'tools.known',
    title: 'Pipelines use tools that are in the catalog',
    group: 'Tools',
    needs: ['database.schema'],
    async run(context) {
      const catalog = [...builtinTools, ...(await context.tools())].map(({ address }) => address);
      const known = new Set(catalog);
      const missing = (await liveTasks(context)).flatMap((task) =>
        usedBy(task)
          // Channels are in the configuration of the server, which need not be the one of this folder.
          .filter((address) => !known.has(address) && !isChannel(address))
          .map((address) => ({ task: task.name, address })),
      );
      if (missing.length === 0) return { tools: catalog.length };
      const lines = missing.slice(0, 5).map(({ task, address }) => {
        const near = nearest(address, catalog);
        return `${task} uses ${address}, which is not in the catalog${near === null ? '' : ` (${near} is)`}.`;
      });
      throw broken({
        what: lines.join('\n'),
        why: 'Every run of such a task fails at that step.',
        command: 'pao tool list',
        evidence: { missing: missing.slice(0, 50) },
      });
    },
  },
  {
    id: 'tools.secrets',
    title: 'Every secret that is used is there',
    group: 'Tools',
    needs: ['database.schema'],
    async run(context) {
      const used = new Map<string, string>();
      for (const tool of await context.tools())
        for (const name of secretNamesIn(tool)) used.set(name, tool.address);
      for (const task of await liveTasks(context))
        for (const name of secretNamesIn(task.spec.pipeline)) used.set(name, task.name);
      const there = new Set(await (await secretsOf(context)).names());
      const missing = [...used].filter(([name]) => !there.has(name));
      if (missing.length === 0) return { used: used.size };
      const [first = ''] = missing[0] ?? [];
      throw broken({
        what: missing
          .slice(0, 5)
          .map(([name, by]) => `${by} needs the secret ${name}.`)
          .join('\n'),
        why: 'Calls that need it fail. pao secret set stores one; PAO_SECRET_NAME of the server, secrets.json or a command may give it as well.',
        command: `pao secret set ${first}`,
        evidence: { missing: missing.map(([name]) => name) },
      });
    },
  },
  {
    id: 'tools.reachable',
    title: 'The servers of tools answer',
    group: 'Tools',
    needs: ['database.schema'],
    timeoutMs: 10_000,
    async run(context, tools) {
      const probes = await probeOrigins(originsOf(await context.tools()), context, tools.signal);
      const silent = probes.filter(({ error }) => error !== null);
      const evidence = {
        origins: probes.map(({ origin, status, error, ms }) => ({ origin, status, error, ms })),
      };
      if (silent.length === 0) return evidence;
      throw doubtful({
        what: silent.map(({ origin, error }) => `${origin} does not answer: ${error}`).join('\n'),
        why: 'Steps that call it fail and are tried again as the task says.',
        command: `curl -sSI ${silent[0]?.origin}`,
        evidence,
      });
    },
  },
  {
    id: 'tools.clock',
    title: 'The clocks of other servers and this one agree',
    group: 'Time',
    needs: ['database.schema'],
    timeoutMs: 10_000,
    async run(context, tools) {
      const probes = await probeOrigins(originsOf(await context.tools()), context, tools.signal);
      const skewed = probes.filter(({ skewMs }) => skewMs !== null && Math.abs(skewMs) > SKEW_MS);
      const evidence = { skews: probes.map(({ origin, skewMs }) => ({ origin, skew_ms: skewMs })) };
      // One server that is off is that server's trouble.
      if (skewed.length < 1 || skewed.length <= probes.length / 2) return evidence;
      const ms = skewed[0]?.skewMs ?? 0;
      throw broken({
        what: `This machine's clock is ${formatDuration(Math.abs(ms))} ${ms > 0 ? 'behind' : 'ahead of'} that of ${some(skewed.map(({ origin }) => origin))}.`,
        why: 'Tasks run when this clock says so, and signed requests are refused.',
        command: 'timedatectl set-ntp true',
        evidence,
      });
    },
  },
  {
    id: 'tools.channels',
    title: 'Answers to questions come in by their channels',
    group: 'Tools',
    needs: ['database.schema'],
    async run(context) {
      const problems = [...(await listChannelProblems(await context.store()))];
      if (problems.length === 0) return { problems: 0 };
      throw doubtful({
        what: problems.map(([name, { message }]) => `channel.${name}: ${message}`).join('\n'),
        why: problems[0]?.[1].hint ?? '',
        command: 'pao channel list',
        evidence: { channels: problems.map(([name, { kind }]) => ({ name, kind })) },
      });
    },
  },
  {
    id: 'tools.mcp',
    title: 'MCP servers start, and their tools are as they were imported',
    group: 'Tools',
    needs: ['database.schema'],
    timeoutMs: 20_000,
    run: checkMcp,
  },
  {
    id: 'tools.llm',
    title: 'The endpoints of models answer, and have the model',
    group: 'Tools',
    needs: ['database.schema'],
    timeoutMs: 10_000,
    run: checkModels,
  },
];

async function liveTasks(context: DoctorContext): Promise<Task[]> {
  return (await context.tasks()).filter(({ state }) => state === 'active' || state === 'paused');
}

function usedBy({ spec }: Task): string[] {
  const steps = spec.pipeline.flatMap((step) => [step, ...(step.parallel ?? [])]);
  const uses = steps.flatMap((step) => (step.uses === undefined ? [] : [step.uses]));
  if (spec.schedule?.kind === 'condition') uses.push(spec.schedule.check.uses);
  return [...new Set(uses)];
}

function originsOf(tools: readonly Tool[]): string[] {
  const urls = tools.flatMap(({ http, mcp, llm }) => [
    http?.url,
    llm?.base_url,
    mcp?.server.transport === 'http' ? mcp.server.url : undefined,
  ]);
  const origins = urls.flatMap((url) =>
    url !== undefined && URL.canParse(url) ? [new URL(url).origin] : [],
  );
  return [...new Set(origins)].sort();
}

async function checkMcp(context: DoctorContext, { signal, progress }: CheckTools) {
  const byServer = new Map<string, { server: ServerImport; tools: Tool[] }>();
  for (const tool of await context.tools()) {
    if (tool.mcp === undefined) continue;
    const { server, era } = tool.mcp;
    const wanted: ServerImport = {
      ...server,
      ...(era === undefined ? {} : { era }),
      ...(tool.grants === undefined ? {} : { grants: tool.grants }),
    };
    const key = JSON.stringify(wanted);
    const entry = byServer.get(key) ?? { server: wanted, tools: [] };
    entry.tools.push(tool);
    byServer.set(key, entry);
  }
  const redactor = new Redactor();
  const callers = createToolCallers({
    clock: systemClock,
    secrets: await secretsOf(context, redactor),
    redactor,
    version: context.place.version,
  });
  try {
    const [dead, changed]: [string[], string[]] = [[], []];
    await Promise.all(
      [...byServer.values()].map(async ({ server, tools }) => {
        progress(server.name);
        try {
          const ends = AbortSignal.any([signal, AbortSignal.timeout(MCP_TIMEOUT_MS)]);
          const found = new Map((await callers.discover(server, ends)).map((one) => [one.name, one]));
          for (const tool of tools) {
            const now = found.get(tool.mcp?.tool ?? '');
            if (now === undefined) changed.push(`${tool.address} is not offered any more.`);
            else if (!isDeepStrictEqual(now.inputSchema, tool.input_schema))
              changed.push(`${tool.address} takes another input than when it was imported.`);
          }
        } catch (error) {
          dead.push(`${server.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }),
    );
    signal.throwIfAborted();
    const evidence = { servers: byServer.size, dead, changed };
    if (dead.length > 0) {
      throw broken({
        what: dead.join('\n'),
        why: 'Every call of its tools fails.',
        command: 'pao tool list',
        evidence,
      });
    }
    if (changed.length > 0) {
      throw doubtful({
        what: changed.slice(0, 5).join('\n'),
        why: 'Calls are checked against the schema that was imported, which is not the one of the server.',
        command: 'pao tool import tools.yaml',
        evidence,
      });
    }
    return evidence;
  } finally {
    await callers.close();
  }
}

async function checkModels(context: DoctorContext, { signal }: CheckTools) {
  const models = (await context.tools()).flatMap(({ address, llm }) =>
    llm === undefined ? [] : [{ address, llm }],
  );
  const redactor = new Redactor();
  const secrets = await secretsOf(context, redactor);
  const [wrong, doubts]: [string[], string[]] = [[], []];
  await Promise.all(
    models.map(async ({ address, llm }) => {
      const [name] = secretNamesIn(llm.api_key ?? '');
      const key =
        name === undefined ? null : await secrets.resolve(name, { tool: address }).catch(() => null);
      if (name !== undefined && key === null) return;
      const base = llm.base_url.replace(/\/+$/, '');
      const headers: Record<string, string> =
        key === null
          ? {}
          : llm.provider === 'anthropic'
            ? { 'x-api-key': key, 'anthropic-version': '2023-06-01' }
            : { authorization: `Bearer ${key}` };
      try {
        const response = await fetch(`${base}/models`, {
          headers,
          redirect: 'error',
          signal: AbortSignal.any([signal, AbortSignal.timeout(LLM_TIMEOUT_MS)]),
        });
        if (response.status === 401 || response.status === 403)
          return void wrong.push(`${address}: ${base} refuses the key (${response.status}).`);
        if (response.status >= 500)
          return void doubts.push(`${address}: ${base} answers ${response.status}.`);
        if (!response.ok) return;
        const body = (await response.json()) as { data?: { id?: string }[] };
        const ids = (body.data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
        const lacking = [llm.model, ...(llm.models ?? [])].filter(
          (model) => ids.length > 0 && !hasModel(ids, model),
        );
        for (const model of lacking) {
          const near = nearest(model, ids);
          doubts.push(`${address}: ${base} has no model ${model}${near === null ? '' : `; ${near} it has`}.`);
        }
      } catch (error) {
        signal.throwIfAborted();
        doubts.push(`${address}: ${base} does not answer (${reason(error)}).`);
      }
    }),
  );
  const evidence = { endpoints: models.length, wrong, doubts };
  const finding = {
    what: redactor.redactText([...wrong, ...doubts].join('\n')),
    why: 'Steps that ask the model fail, or fall back.',
    command: 'pao tool list',
    evidence,
  };
  if (wrong.length > 0) throw broken(finding);
  if (doubts.length > 0) throw doubtful(finding);
  return { endpoints: counted(models.length, 'model') };
}

/** Ollama lists `qwen3:8b` and `llama3:latest`, and takes `llama3`. */
const hasModel = (ids: readonly string[], model: string): boolean =>
  ids.includes(model) || ids.includes(`${model}:latest`);

function reason(error: unknown): string {
  const { cause, name, message } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? (name === 'TimeoutError' ? 'no answer in time' : message);
}
