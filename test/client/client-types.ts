import type { z } from 'zod';
import type * as client from '../../src/client/api-objects.js';
import type { HealthReport } from '../../src/domain/health.js';
import type { AnswerName, answers } from '../../src/server/api/answers/index.js';

// Proved by the type checker: what the server may answer fits the types of the client, and no field of either is missing in
// the other. A line that is underlined names the pair that does not agree.

/** JSON has no undefined: what may be left out is left out. */
type Json<T> = T extends (infer Item)[]
  ? Json<Item>[]
  : T extends object
    ? { [Key in keyof T]: Json<Exclude<T[Key], undefined>> }
    : T;
type Answer<Name extends AnswerName> = Json<z.infer<(typeof answers)[Name]>>;
type Keys<T> = T extends unknown ? keyof T : never;
type Item<Page> = Page extends { items: (infer One)[] } ? One : never;

/** What does not agree; never when all is well. */
type Difference<Server, Client> = [Server] extends [Client]
  ? Exclude<Keys<Server>, Keys<Client>> | Exclude<Keys<Client>, Keys<Server>>
  : { server: Server; client: Client };
type Agree<Server, Client> = [Difference<Server, Client>] extends [never] ? true : Difference<Server, Client>;
/** The same for an answer that has a part of what the type may have. */
type Fits<Server, Client> = [Server] extends [Client]
  ? [Exclude<Keys<Server>, Keys<Client>>] extends [never]
    ? true
    : Exclude<Keys<Server>, Keys<Client>>
  : { server: Server; client: Client };
type All<Proofs extends true[]> = Proofs;

/** @public Read by nobody but the type checker. */
export type Proved = All<
  [
    Agree<Answer<'Task' | 'WholeTask'>, client.TaskObject>,
    Agree<Answer<'ChangedTask'>, client.ChangedTaskObject>,
    Agree<Answer<'CreatedTask'>, client.CreatedTaskObject>,
    Agree<Answer<'WholeTask' | 'SkippedTask'>, client.TaskObject & { left_out?: client.OccurrenceObject }>,
    Agree<Answer<'TaskCheck'>, client.TaskCheckObject>,
    Agree<Answer<'Occurrences'>, client.OccurrencesObject>,
    Agree<Item<Answer<'Occurrences'>>, client.OccurrenceObject>,
    Agree<Answer<'Occurrences'>['warnings'][number], client.WarningObject>,
    Agree<NonNullable<Answer<'WholeTask'>['estimate']>, client.EstimateObject>,
    Agree<Answer<'WholeTask'>['spent_today'], client.SpentTodayObject>,
    Agree<Item<Answer<'WholeTask'>['open_windows']>, client.OpenWindowObject>,
    Agree<Answer<'Explanation'>, client.ExplanationObject>,
    Agree<Answer<'Explanation'>['lines'][number], client.ExplanationObject['lines'][number]>,
    Agree<Answer<'SchedulePreview'>, client.SchedulePreviewObject>,
    Agree<Answer<'Agenda'>, client.AgendaObject>,
    Agree<Item<Answer<'Agenda'>>, client.AgendaItem>,
    Agree<Answer<'SpendToday'>, client.SpendTodayObject>,
    Agree<Answer<'StartedRun' | 'WholeRun'>, client.RunObject>,
    Fits<Answer<'ReplayedRun'>, client.ReplayedRunObject>,
    Agree<Answer<'Step'>, client.StepObject>,
    Agree<Answer<'WholeRun'>['spent']['requests'][number], client.PaidRequestObject>,
    Agree<Answer<'WholeRun'>['causes'][number], client.CauseObject>,
    Agree<Answer<'Delivery'>, client.DeliveryObject>,
    Agree<Answer<'Approval'>, client.ApprovalObject>,
    Agree<Answer<'PublishedEvent' | 'WholeEvent'>, client.EventObject>,
    Agree<Answer<'Agent' | 'WholeAgent'>, client.AgentObject>,
    Agree<Answer<'Token'>, client.TokenObject>,
    Agree<Answer<'NewToken'>, client.NewTokenObject>,
    Agree<Answer<'Hook'>, client.HookObject>,
    Agree<Answer<'NewHook'>, client.NewHookObject>,
    Agree<Answer<'ToolCall'>, client.ToolCallObject>,
    Agree<Answer<'ImportedTools'>, client.ToolImportObject>,
    Agree<Item<Answer<'ImportedTools'>>, client.ToolImportObject['items'][number]>,
    Agree<Answer<'Secret'>, client.SecretObject>,
    Agree<Answer<'Channel'>, client.ChannelObject>,
    Agree<Answer<'Health'>, HealthReport>,
    Agree<Answer<'AuditEntry'>, client.AuditObject>,
    Agree<Answer<'Service'>, client.ServiceObject>,
    Agree<Answer<'TaskPage'>, client.ListPage<client.TaskObject>>,
    Exclude<keyof Answer<'Tool'>, keyof client.ToolObject> extends never ? true : false,
    Exclude<keyof client.ToolObject, keyof Answer<'Tool'>> extends never ? true : false,
    Agree<Omit<Answer<'TaskVersion'>, 'spec'>, Omit<client.TaskVersionObject, 'spec'>>,
  ]
>;
