/** Who is signed in, and the way in or out. Its link stands in every page's head where identity is on. */
import { html } from './html.ts';
import { renderPage } from './layout.ts';

export interface Account {
  readonly kind: 'user' | 'ci' | 'token' | 'anonymous';
  readonly name: string;
  readonly issuer: string;
  /** Whether people can sign in here. */
  readonly hasLogin: boolean;
  /** Where somebody who signs in is led. */
  readonly to: string;
}

export const accountPath = '/-/auth/';

const kinds = { user: 'A person', ci: 'A CI job', token: 'A named token' };

export function renderAccount({ kind, name, issuer, hasLogin, to }: Account): string {
  if (kind === 'anonymous') {
    return renderPage({
      title: 'Not signed in',
      crumbs: [],
      body: html`<h1>Not signed in</h1>
<p class="lead">${hasLogin ? 'You see what is open to everybody.' : 'Nobody can sign in here by a browser; programs send a token.'}</p>
${hasLogin && html`<div class="actions"><a class="button" href="/-/auth/login?${new URLSearchParams({ to }).toString()}">Sign in</a></div>`}`,
    });
  }
  return renderPage({
    title: 'Signed in',
    crumbs: [],
    body: html`<h1>Signed in as <bdi>${name}</bdi></h1>
<p class="lead">${kinds[kind]}, by the word of <bdi>${issuer}</bdi>.</p>
<form class="actions" method="post" action="/-/auth/logout"><a class="button" href="${to}">Back</a><button type="submit">Sign out</button></form>`,
  });
}
