/** Who may ask: API tokens, their scopes and their owners. */
import { type Answer, json, refusal } from './answer.ts';
import { uuidFrom } from './ids.ts';

export interface StandInToken {
  readonly token: string;
  /** Its owner, whose requests are limited together, whatever the token. */
  readonly user: string;
  readonly scopes: readonly string[];
  /** ms since 1970; absent: never. */
  readonly expiresAt?: number;
}

export const defaultToken: StandInToken = {
  token: 'bkua_0123456789abcdef0123456789abcdef01234567',
  user: 'mirror@acme.example',
  scopes: ['read_builds', 'read_artifacts', 'read_build_logs', 'read_pipelines'],
};

/** The same owner's, with the GraphQL API enabled. */
export const graphqlToken: StandInToken = {
  ...defaultToken,
  token: 'bkua_89abcdef0123456789abcdef0123456789abcdef',
  scopes: [...defaultToken.scopes, 'graphql'],
};

export const unauthorized: Answer = refusal(401, 'Authentication required');
export const forbidden: Answer = refusal(403, 'Forbidden');

/** @param header the Authorization of a request */
export function findToken(tokens: readonly StandInToken[], header: string | undefined): StandInToken | undefined {
  const value = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  return value === undefined ? undefined : tokens.find((each) => each.token === value);
}

/** `GET /v2/access-token`, which needs no scope. */
export function describeToken(token: StandInToken): Answer {
  return json({
    uuid: uuidFrom(token.user, 1_752_646_062_000),
    scopes: token.scopes,
    description: 'Mirror',
    created_at: '2025-07-16 06:07:42 UTC',
    expires_at:
      token.expiresAt === undefined
        ? null
        : new Date(token.expiresAt).toISOString().replace('T', ' ').replace(/\..*/, ' UTC'),
    user: { email: token.user, name: 'Mirror' },
  });
}
