/** The link to the account says who is signed in. It is there where identity is on, and leads on without a script too. */

export async function tellAccount() {
  const link = document.querySelector('a.account');
  if (!(link instanceof HTMLAnchorElement)) return;
  const answer = await fetch('/-/auth/me').catch(() => null);
  if (answer === null || !answer.ok) return;
  /** @type {{ kind: string, name: string }} */
  const { kind, name } = await answer.json();
  link.textContent = kind === 'anonymous' ? 'Sign in' : name;
  link.title = kind === 'anonymous' ? '' : `Signed in as ${name}`;
}
