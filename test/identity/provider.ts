/** A real OpenID provider on loopback: oidc-provider, whose people are a table that a test may change. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

/** What every provider here signs its id tokens by. */
export const providerKeys = { kid: 'provider', ...(await generateKeyPair('RS256', { extractable: true })) };

export interface Account {
  email?: string;
  email_verified?: boolean;
  groups?: string[];
}

interface Given {
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
}

export interface TestProvider {
  readonly issuer: string;
  /** By the name that is typed into the login form. */
  readonly accounts: Map<string, Account>;
  /** Accounts that are closed. */
  readonly closed: Set<string>;
  /** What is told of an account, in an id token or at the userinfo address: all of it in both, until a test says otherwise. */
  tells: (use: string, account: Account) => Account;
  /** What becomes of an id token on its way out: it stays what it is, until a test says otherwise. */
  changes: (idToken: string) => string | Promise<string>;
  /** The tokens that were given, grant by grant. */
  readonly given: Given[];
  /** The type of each grant that was made. */
  readonly grants: string[];
  /** While it is true, every question is answered with 503. */
  isAway: boolean;
  /** How each question at its token address is answered while it is set. */
  refuses: { readonly status: number; readonly error: string } | null;
  close(): Promise<void>;
}

interface ProviderOptions {
  /** s */
  readonly accessTokenLife?: number;
  /** Whether refresh tokens are given. */
  readonly refreshes?: boolean;
  /** Whether an id token is given with each refresh. */
  readonly idTokensAgain?: boolean;
}

/** @param redirect the callback of the client `mirror`, whose secret is `sesame` */
export async function startProvider(
  redirect: string,
  { accessTokenLife = 600, refreshes = false, idTokensAgain = true }: ProviderOptions = {},
): Promise<TestProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [accounts, closed] = [new Map<string, Account>(), new Set<string>()];
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'mirror',
        client_secret: 'sesame',
        redirect_uris: [redirect],
        grant_types: ['authorization_code', ...(refreshes ? ['refresh_token'] : [])],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups'] },
    cookies: { keys: ['test'] },
    jwks: { keys: [{ ...(await exportJWK(providerKeys.privateKey)), kid: providerKeys.kid, use: 'sig' }] },
    findAccount: (_context, id) =>
      closed.has(id)
        ? undefined
        : { accountId: id, claims: (use) => ({ sub: id, ...mine.tells(use, accounts.get(id) ?? {}) }) },
    conformIdTokenClaims: false,
    clockTolerance: accessTokenLife < 60 ? 0 : 15,
    issueRefreshToken: () => refreshes,
    ttl: {
      AccessToken: accessTokenLife,
      AuthorizationCode: 60,
      IdToken: 600,
      Interaction: 600,
      Session: 600,
      Grant: 600,
      RefreshToken: 600,
    },
  });
  const grants: string[] = [];
  const given: Given[] = [];
  provider.on('grant.success', (context) => grants.push(String(context.oidc.params?.['grant_type'])));
  provider.use(async (context, next) => {
    await next();
    const isRefresh = context.oidc?.params?.['grant_type'] === 'refresh_token';
    const { body } = context as { body?: Record<string, unknown> };
    if (isRefresh && !idTokensAgain && body !== undefined) delete body['id_token'];
    if (typeof body?.['id_token'] === 'string') body['id_token'] = await mine.changes(body['id_token']);
    if (typeof body?.['access_token'] === 'string') given.push(body);
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (mine.isAway) response.writeHead(503).end();
    else if (mine.refuses !== null && request.url === '/token')
      response
        .writeHead(mine.refuses.status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: mine.refuses.error }));
    else void handle(request, response);
  });
  const mine: TestProvider = {
    issuer,
    accounts,
    closed,
    given,
    grants,
    changes: (idToken) => idToken,
    tells: (_use, account) => account,
    isAway: false,
    refuses: null,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return mine;
}

/**
 * Goes through the provider's forms as a browser would.
 * @param location where a login leads @param redirect where it comes back to @returns that address with its answer
 */
export async function signInAs(name: string, location: URL, redirect: string): Promise<URL> {
  const jar = new Map<string, string>();
  let [at, form]: [URL, string | null] = [location, null];
  for (let steps = 0; steps < 12 && !at.href.startsWith(redirect); steps += 1) {
    const headers = { cookie: [...jar].map(([key, value]) => `${key}=${value}`).join('; ') };
    const body = form === null ? null : new URLSearchParams(form);
    const answer = await fetch(at, { headers, body, method: body === null ? 'GET' : 'POST', redirect: 'manual' });
    for (const set of answer.headers.getSetCookie()) {
      const [key = '', value = ''] = (set.split(';')[0] ?? '').split(/=(.*)/);
      jar.set(key, value);
    }
    const next = answer.headers.get('location');
    const page = await answer.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    at = new URL(next ?? action ?? at, at);
    form = next === null ? `prompt=${/name="prompt" value="(\w+)"/.exec(page)?.[1]}&login=${name}&password=any` : null;
  }
  return at;
}
