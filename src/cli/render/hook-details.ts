import type { HookObject, NewHookObject } from '../../client/api-objects.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { machineTime } from './task-time.js';

/** Columns of a list of hooks. */
export const HOOK_COLUMNS: readonly Column<HookObject>[] = [
  { header: 'NAME', value: (hook) => hook.name },
  { header: 'TOPIC', value: (hook) => hook.topic },
  { header: 'SIGNED AS', value: (hook) => hook.scheme },
  { header: 'PATH', value: (hook) => hook.path },
  {
    header: 'LAST RECEIVED',
    value: (hook) => (hook.last_received_at === null ? 'never' : machineTime(hook.last_received_at)),
  },
];

const SIGNED: Record<HookObject['scheme'], string> = {
  standard: 'standard: Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)',
  github: 'github: X-Hub-Signature-256',
};

/** Shows one hook. @param url the address of the server, as this command reaches it. */
export function showHook(out: Output, hook: HookObject, url: string): void {
  out.pairs([
    ['Name', hook.name],
    ['Id', hook.id],
    ['Topic', hook.topic],
    ['URL', urlOf(hook, url)],
    ['Signed as', SIGNED[hook.scheme]],
    ...(hook.allow_repeats ? [['Equal bodies', 'are events of their own'] as const] : []),
    ['Created', machineTime(hook.created_at)],
    ['Last received', hook.last_received_at === null ? 'never' : machineTime(hook.last_received_at)],
    ...(hook.old_secret_until === null
      ? []
      : [['Old secret until', machineTime(hook.old_secret_until)] as const]),
  ]);
}

/** Shows a secret: alone on stdout, so that a script takes just that, and what to do with it on stderr. */
export function showHookSecret(out: Output, hook: NewHookObject, url: string): void {
  out.warn('This secret is shown once. Give it to the sender, which signs with it.');
  out.line(hook.secret);
  out.note(
    hook.url === null
      ? `It posts to ${urlOf(hook, url)} (from another machine: under the name that one reaches this by; with public_url in pao.config.yaml it is shown here).`
      : `It posts to ${hook.url}`,
  );
}

const urlOf = (hook: HookObject, url: string): string => hook.url ?? url.replace(/\/$/, '') + hook.path;
