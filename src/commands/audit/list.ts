import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { AUDIT_COLUMNS } from '../../cli/render/audit-lines.js';
import { instantBefore } from '../../cli/render/run-since.js';
import type { AuditObject, ListPage } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists the audit log. */
export default class AuditList extends BaseCommand<typeof AuditList> {
  static override summary = 'List who did what, the latest first';
  static override examples = [
    '<%= config.bin %> audit list',
    '<%= config.bin %> audit list --action "token.*" --since 7d',
    '<%= config.bin %> audit list --actor planner --object morning-briefing',
  ];
  static override flags = {
    actor: Flags.string({ summary: 'Only by this agent, or by system', helpValue: 'NAME' }),
    action: Flags.string({ summary: 'Only this, or what begins so: task.*', helpValue: 'ACTION' }),
    object: Flags.string({ summary: 'Only about this: an id or a name', helpValue: 'ID' }),
    since: Flags.string({ summary: 'Only since then: 2h, 7d, or an instant', helpValue: 'TIME' }),
    limit: Flags.integer({ summary: 'How many', default: 20, min: 1, max: 1000 }),
    cursor: Flags.string({ summary: 'Go on where a list ended (next_cursor)' }),
  };

  async run(): Promise<ListPage<AuditObject>> {
    const { actor, action, object, since, limit, cursor } = this.flags;
    const client = new PaoClient(this.connection());
    const filter = {
      actor,
      action,
      object,
      since: since === undefined ? undefined : instantBefore(since, Date.now()),
      signal: this.signal,
    };
    const items: AuditObject[] = [];
    let next: string | null = cursor ?? null;
    // The server looks at a part of the log at a time: a page may be short though there is more.
    do {
      const left = limit - items.length;
      const page = await client.listAudit({ ...filter, limit: left, cursor: next ?? undefined });
      items.push(...page.items);
      next = page.next_cursor;
    } while (next !== null && items.length < limit);
    const isFiltered = [actor, action, object, since, cursor].some((one) => one !== undefined);
    this.out.table(
      items,
      AUDIT_COLUMNS,
      isFiltered ? 'Nothing in the audit log is like that: pao audit list' : 'Nothing was recorded yet.',
    );
    if (next !== null) this.out.hint(`There are more: pao audit list --cursor ${next}`);
    return { items, next_cursor: next };
  }
}
