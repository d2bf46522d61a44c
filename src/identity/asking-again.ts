/** How a provider is asked about somebody who has signed in: by their access token, and by a refresh token for a newer one. */
import * as oidc from 'openid-client';

export type Known = Record<string, unknown>;

/**
 * What the provider says of them now. `ended`: the token that they were asked about by has ended, which says nothing of
 * them. `refused`: the provider gives no new token for them any more, as for an account that was closed.
 */
export type Told = { readonly info: Known } | 'ended' | 'refused';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string | undefined;
}

/**
 * Each call asks once more.
 * @param onTokens hears of newer tokens, which may have made the older ones void, and of the claims of the id token that
 *   came with them; null: there came none
 * @throws when the provider cannot be asked now: then nothing is known
 */
export function askingAgain(
  configuration: () => Promise<oidc.Configuration>,
  first: Tokens,
  subject: string,
  onTokens: (tokens: Tokens, claims: Known | null) => void,
): () => Promise<Told> {
  let tokens = first;
  const ask = async (): Promise<Told> => {
    const info = await oidc.fetchUserInfo(await configuration(), tokens.access_token, subject).catch(unlessRefused);
    return info === null ? 'ended' : { info };
  };
  return async () => {
    const told = await ask();
    const { refresh_token: refreshToken } = tokens;
    if (told !== 'ended' || refreshToken === undefined) return told;
    const next = await oidc.refreshTokenGrant(await configuration(), refreshToken).catch(unlessEnded);
    if (next === null) return 'refused';
    tokens = { access_token: next.access_token, refresh_token: next.refresh_token ?? refreshToken };
    const claims = next.claims() ?? null;
    onTokens(tokens, claims === null ? null : { ...claims });
    // By the standard it is of the same person, or it is to be refused.
    return claims !== null && claims.sub !== subject ? 'refused' : ask();
  };
}

/**
 * Of a refresh only `invalid_grant` says something of the person: every other answer is of this client, its secret or what
 * it asks for, and is the same for everybody.
 */
function unlessEnded(thrown: unknown): null {
  if (thrown instanceof oidc.ResponseBodyError && thrown.error === 'invalid_grant') return null;
  throw inProvidersWords(thrown);
}

/** The library's own message says only that there was an error; what was wrong with a token its cause says, without quoting it. */
export function inProvidersWords(thrown: unknown): unknown {
  const cause = thrown instanceof oidc.ClientError ? thrown.cause : null;
  if (cause instanceof Error && cause.name === 'OperationProcessingError')
    return new Error(cause.message, { cause: thrown });
  if (!(thrown instanceof oidc.AuthorizationResponseError || thrown instanceof oidc.ResponseBodyError)) return thrown;
  const { error, error_description: description = '' } = thrown;
  return new Error(`the provider says ${error}${description && `: ${description}`}`, { cause: thrown });
}

/** A provider that is away, overloaded or broken has not said no. */
function unlessRefused(thrown: unknown): null {
  const status = statusOf(thrown);
  if (status === undefined || status >= 500 || status === 429) throw thrown;
  return null;
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof oidc.WWWAuthenticateChallengeError || thrown instanceof oidc.ResponseBodyError)
    return thrown.status;
  const { cause } = thrown instanceof Error ? thrown : {};
  // A refusal that does not say why in the way that the standard has it.
  return cause instanceof Response && [400, 401, 403].includes(cause.status) ? cause.status : undefined;
}
