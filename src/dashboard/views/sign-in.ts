import { Refused } from '../api.js';
import { type Child, h } from '../dom.js';
import { errorWords } from '../ui.js';

/**
 * The form that asks for a token.
 * @param why it is asked for, if there is more to say. @param isAsked a question waits behind it.
 */
export function signInForm(
  why: string | null,
  isAsked: boolean,
  signIn: (token: string) => Promise<void>,
): Child[] {
  const problem = h('p', { id: 'token-problem', class: 'problem', role: 'alert', hidden: why === null }, why);
  // A password manager may keep it: this page does not.
  const token = h('input', {
    id: 'token',
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
    placeholder: 'pao_…',
    required: true,
    spellcheck: 'false',
    'aria-describedby': 'token-problem',
  });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const submit = async (event: Event) => {
    event.preventDefault();
    const text = token.value.trim();
    if (text === '') return token.focus();
    button.disabled = true;
    try {
      await signIn(text);
    } catch (error) {
      const isWrong = error instanceof Refused && error.refusal.status === 401;
      problem.textContent = isWrong ? 'This is no token of this pao, or it has expired.' : errorWords(error);
      problem.hidden = false;
      token.setAttribute('aria-invalid', 'true');
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  return [
    h(
      'form',
      { class: 'sign-in', submit: (event) => void submit(event) },
      h('h1', null, 'pao'),
      isAsked && h('p', null, 'A question waits for your answer. Sign in to see it.'),
      h(
        'p',
        null,
        'On the machine where pao runs, ',
        h('code', null, 'pao dashboard'),
        ' signs you in. From elsewhere, paste a token.',
      ),
      h('input', {
        type: 'text',
        name: 'username',
        autocomplete: 'username',
        value: 'pao',
        class: 'unseen',
        tabindex: -1,
        'aria-hidden': true,
        readonly: true,
      }),
      h('label', { for: 'token' }, 'Token'),
      token,
      problem,
      button,
      h(
        'p',
        { class: 'faint' },
        'It is kept in this tab alone, and goes with it. ',
        h('code', null, 'pao agent rotate NAME'),
        ' makes a new one.',
      ),
    ),
  ];
}
