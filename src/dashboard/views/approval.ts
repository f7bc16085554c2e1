import type { ApprovalObject } from '../../client/api-objects.js';
import { TIMED_OUT_WORDS, TIMEOUT_WORDS } from '../../domain/approval.js';
import { Refused } from '../api.js';
import { type Child, h } from '../dom.js';
import { dataEditor, type Edited } from '../edit-data.js';
import { isFlat, shownData } from '../show-data.js';
import { momentWithZone, timeOf } from '../time.js';
import { chip, confirmed, errorWords, facts, say } from '../ui.js';
import { type Context, LATER, SOON, type View } from '../view.js';
import { firstLine } from './approvals.js';

/** One question: what is asked, what of, until when, and the answer. */
export const approvalView: View<ApprovalObject> = {
  menu: 'approvals',
  every: ({ state }) => (state === 'pending' ? SOON : LATER * 4),
  load: ({ api, name, signal }) =>
    api.get<ApprovalObject>(`v1/approvals/${encodeURIComponent(name)}`, signal),
  title: ({ message }) => message,
  render(approval, context) {
    const { state, message, task_name, task_id, run_id, step, requested_at } = approval;
    return [
      h('p', { class: 'above' }, h('a', { href: `#task=${task_id}` }, task_name), ' asks ', chip(state)),
      h('h1', { class: 'question' }, message),
      state === 'pending' ? form(approval, context) : closed(approval, context),
      facts([
        ['Asked', timeOf(requested_at)],
        ['Step', step],
        ['Run', h('a', { href: `#run=${run_id}` }, 'Show the run')],
      ]),
    ];
  },
};

function closed(approval: ApprovalObject, { me }: Context): Child {
  const { state, data, comment, decided_at, decided_by, expires_at, run_id } = approval;
  const by = decided_by === `agent:${me.agent.id}` ? `you (${me.agent.name})` : (decided_by ?? 'somebody');
  const at = momentWithZone(decided_at ?? expires_at);
  const words: Record<ApprovalObject['state'], string> = {
    pending: '',
    approved: `It was approved by ${by}, ${at}.`,
    denied: `It was denied by ${by}, ${at}.`,
    expired: `It expired ${momentWithZone(expires_at)}: nobody had answered. It can not be answered any more.`,
    canceled: 'It is not needed any more: its run has ended.',
  };
  return [
    h('p', { class: `verdict ${state}` }, words[state]),
    state === 'expired' && h('p', null, TIMED_OUT_WORDS[approval.on_timeout]),
    comment !== null && comment !== '' && h('blockquote', null, comment),
    data !== null && h('div', { class: 'data' }, shownData(data)),
    h('p', null, h('a', { class: 'button', href: `#run=${run_id}` }, 'See what became of the run')),
  ];
}

function form(approval: ApprovalObject, { api, me, signal, refresh }: Context): Child {
  const { id, message, data, expires_at, on_timeout } = approval;
  const asked = `“${firstLine(message)}”`;
  const mayDecide = me.may('approvals:decide');
  const isChange = (edited: Edited) => edited.ok && JSON.stringify(edited.data) !== JSON.stringify(data);
  const comment = h('input', { id: 'comment', type: 'text', maxlength: 2000, autocomplete: 'off' });
  const button = (name: string, attributes: Record<string, string>, click: () => void) =>
    h('button', { type: 'button', disabled: !mayDecide, ...attributes, click }, name);
  const approve = button('Approve', { id: 'approve', class: 'primary' }, () => void decide('approve'));
  const deny = button('Deny', { id: 'deny' }, () => void decide('deny'));
  const edit = button('Change it first', { id: 'edit', class: 'quiet', 'aria-expanded': 'false' }, () =>
    turn(),
  );
  const view = h('div', { class: 'data' }, shownData(data));
  const editor = dataEditor(data, (edited) => {
    approve.disabled = !mayDecide || !edited.ok;
    approve.textContent = isChange(edited) ? 'Approve with the change' : 'Approve';
  });

  function turn(): void {
    const opens = editor.element.hidden;
    editor.element.hidden = !opens;
    view.hidden = opens;
    editor.toggle.hidden = !opens || !isFlat(data);
    edit.setAttribute('aria-expanded', String(opens));
    edit.textContent = opens ? 'Leave it as it was' : 'Change it first';
    if (opens) editor.focus();
    else editor.reset();
  }

  async function decide(decision: 'approve' | 'deny'): Promise<void> {
    const edited = editor.read();
    if (decision === 'approve' && !edited.ok) return editor.focus();
    if (
      decision === 'deny' &&
      isChange(edited) &&
      !(await confirmed(`Say no to ${asked}, and lose your changes?`, 'Say no', signal))
    )
      return;
    approve.disabled = true;
    deny.disabled = true;
    try {
      await api.post<ApprovalObject>(`v1/approvals/${id}`, {
        decision,
        ...(comment.value.trim() === '' ? {} : { comment: comment.value.trim() }),
        ...(decision === 'approve' && edited.ok && isChange(edited) ? { data: edited.data } : {}),
      });
      // Who is elsewhere by now sees it there.
      if (!signal.aborted) say(decision === 'approve' ? 'Approved: the run goes on.' : 'Denied.');
    } catch (error) {
      say(signal.aborted ? `${asked}: ${errorWords(error)}` : errorWords(error), true);
      // Closed meanwhile: the page shows what stands.
      if (!(error instanceof Refused && error.refusal.status === 409)) {
        approve.disabled = !mayDecide;
        deny.disabled = !mayDecide;
        return;
      }
    }
    refresh();
  }

  return [
    data !== null && [view, editor.element, mayDecide && h('p', null, edit, ' ', editor.toggle)],
    h('label', { for: 'comment' }, 'Comment ', h('span', { class: 'faint' }, '(kept with the answer)')),
    comment,
    h('div', { class: 'actions' }, approve, deny),
    !mayDecide &&
      h('p', { class: 'problem' }, 'This token may look, not decide: it needs the scope approvals:decide.'),
    h(
      'p',
      { class: 'deadline' },
      'Open until ',
      h('strong', null, momentWithZone(expires_at)),
      ', ',
      timeOf(expires_at, 'fromNow'),
      `; ${TIMEOUT_WORDS[on_timeout]}.`,
    ),
  ];
}
