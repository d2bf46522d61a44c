/** Who people are, by the word of an OpenID provider or of a proxy that they have signed in at. */
import { type JWTPayload, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import type { PeopleSettings } from '../config/identity.ts';
import type { Secret } from '../config/secret.ts';
import { loopbackNames } from '../config/values.ts';
import { askingAgain, inProvidersWords, type Known, type Tokens, type Told } from './asking-again.ts';
import { issuerKeys } from './issuer-keys.ts';
import type { KeptTokens } from './kept-tokens.ts';
import type { LoginState } from './sealed-state.ts';
import { type SubjectCard, subjectId } from './state.ts';

export type PersonCard = Extract<SubjectCard, { kind: 'user' }>;

/** A person as the provider tells of them, and how to ask again. */
export interface SignedIn {
  readonly person: PersonCard;
  readonly claims: JWTPayload;
  /** null where the provider cannot be asked at all. */
  readonly again: Asking | null;
}

/** How the provider is asked about somebody. */
export interface Asking {
  /** What it says of them now. @throws when it cannot be asked now */
  ask(): Promise<PersonCard | Exclude<Told, object>>;
  /** They were given what holds until then (seconds since 1970), or longer: so are they to be asked about. */
  goOnUntil(until: number): void;
  /** By what: may be another each time that it was asked. Kept, it can be asked after a restart. */
  tokens(): KeptTokens;
}

export interface People {
  /** Where the browser is to go, and what it is to carry. null: people come by a proxy, not by a login. */
  begin(to: string, callback: URL): Promise<{ location: URL; state: Omit<LoginState, 'expires'> } | null>;
  /** @param callback the address that the browser came back to, with its query @throws whatever does not hold */
  finish(callback: URL, state: LoginState): Promise<SignedIn>;
  /** @returns null without such a header @throws whatever does not hold; ERR_IDENTITY_UNAVAILABLE without the proxy's keys */
  asserted(header: (name: string) => string | undefined): Promise<SignedIn | null>;
  /** Goes on asking about somebody who has signed in before. */
  resume(kept: KeptTokens): Asking;
}

/** The provider's own description is read again after an hour. */
const discoveryMs = 3_600_000;
/** Clocks of two machines; the login's own library allows as much. */
const clockSeconds = 30;
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export function openPeople(settings: PeopleSettings, secret: Secret | null, now = (): number => Date.now()): People {
  const provider = providerOf(settings, secret, now);
  const { assertion, issuer, groupsClaim } = settings;
  const keys = assertion === null ? null : issuerKeys(assertion.jwksUrl);
  const personOf = (claims: JWTPayload, vouching: Vouching = 'provider'): PersonCard =>
    toPerson(claims, vouching, issuer, groupsClaim, Math.floor(now() / 1000));

  const asking = (kept: KeptTokens): Asking => {
    const subject = String(kept.claims['sub']);
    let tokens: Tokens = kept;
    let { claims, until } = kept;
    const ask = askingAgain(provider, kept, subject, (newer, ofToken) => {
      tokens = newer;
      // Without an id token of their own they have outlived what the one before them said.
      claims = ofToken ?? { sub: subject };
    });
    return {
      ask: async () => {
        const told = await ask();
        if (typeof told === 'string') return told;
        claims = leftOfToken(claims, told.info, groupsClaim);
        return personOf({ ...claims, ...told.info });
      },
      goOnUntil: (longer) => {
        until = Math.max(until, longer);
      },
      tokens: () => ({
        claims,
        access_token: tokens.access_token,
        ...(tokens.refresh_token !== undefined && { refresh_token: tokens.refresh_token }),
        until,
      }),
    };
  };

  return {
    resume: asking,
    begin: async (to, callback) => {
      if (settings.clientId === null) return null;
      const verifier = oidc.randomPKCECodeVerifier();
      const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
      const location = oidc.buildAuthorizationUrl(await provider(), {
        redirect_uri: callback.href,
        scope: settings.scopes,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      return { location, state: { state, nonce, verifier, to } };
    },
    finish: async (callback, { state, nonce, verifier }) => {
      const configuration = await provider();
      const tokens = await oidc
        .authorizationCodeGrant(configuration, callback, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        })
        .catch((thrown: unknown) => {
          throw inProvidersWords(thrown);
        });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('the provider gave no id token');
      if (configuration.serverMetadata().userinfo_endpoint === undefined)
        return { person: personOf(claims), claims, again: null };
      const until = Math.floor(now() / 1000) + settings.sessionSeconds;
      const again = asking({
        claims: { ...claims },
        access_token: tokens.access_token,
        ...(tokens.refresh_token !== undefined && { refresh_token: tokens.refresh_token }),
        until,
      });
      const person = await again.ask();
      if (typeof person === 'string') throw new Error('the provider does not take the token that it gave');
      return { person, claims, again };
    },
    asserted: async (header) => {
      const token = assertion === null ? undefined : header(assertion.header);
      if (assertion === null || keys === null || token === undefined) return null;
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience: assertion.audience,
        algorithms: asymmetric,
        clockTolerance: clockSeconds,
        requiredClaims: ['sub', 'exp', 'iat'],
        currentDate: new Date(now()),
      });
      return { person: personOf(payload, 'proxy'), claims: payload, again: null };
    },
  };
}

/**
 * What an id token says counts for as long as userinfo has said nothing of it: from then on userinfo's silence means that
 * there are no groups, or no address. An address and whether it is verified are one word.
 */
function leftOfToken(claims: Known, info: Known, groupsClaim: string): Known {
  const words = [[groupsClaim], ['email', 'email_verified']];
  const told = words.flatMap(([name = '', ...beside]) => (Object.hasOwn(info, name) ? [name, ...beside] : []));
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !told.includes(name)));
}

function providerOf(
  settings: PeopleSettings,
  secret: Secret | null,
  now: () => number,
): () => Promise<oidc.Configuration> {
  let known: Promise<oidc.Configuration> | null = null;
  let readAt = 0;
  const discover = async (): Promise<oidc.Configuration> => {
    const issuer = new URL(settings.issuer);
    const isPlain = issuer.protocol === 'http:' && loopbackNames.includes(issuer.hostname);
    // Read anew for each exchange: a secret in a file may have changed.
    const authenticate: oidc.ClientAuth =
      secret === null ? oidc.None() : (...args) => oidc.ClientSecretBasic(secret.reveal())(...args);
    const execute = [oidc.enableNonRepudiationChecks, ...(isPlain ? [oidc.allowInsecureRequests] : [])];
    return oidc.discovery(issuer, settings.clientId ?? '', undefined, authenticate, { execute, timeout: 10 });
  };
  return () => {
    if (known === null || now() - readAt > discoveryMs) {
      readAt = now();
      known = discover();
      known.catch(() => {
        known = null;
      });
    }
    return known;
  };
}

/** Whose word it is: a provider may let anybody type an address in, a proxy has let its user in by it. */
type Vouching = 'provider' | 'proxy';

function toPerson(
  claims: JWTPayload,
  vouching: Vouching,
  issuer: string,
  groupsClaim: string,
  seen: number,
): PersonCard {
  const user = claims.sub ?? '';
  if (user === '') throw new Error('the token has no subject');
  const { email, email_verified: isVerified } = claims as { email?: unknown; email_verified?: unknown };
  const counts = isVerified === true || (isVerified === undefined && vouching === 'proxy');
  const groups = claims[groupsClaim];
  return {
    id: subjectId(issuer, user),
    kind: 'user',
    issuer,
    seen,
    user,
    // One that anybody may have typed in says nothing.
    email: typeof email === 'string' && counts ? email.toLowerCase() : null,
    groups: [groups ?? []].flat().filter((group): group is string => typeof group === 'string'),
    // A provider has been asked just now; a proxy's word may have been on its way for longer. One from the future, by clocks
    // that differ, must not outlast what is told before that time comes.
    ...(vouching === 'proxy' && claims.iat !== undefined ? { told: Math.floor(Math.min(claims.iat, seen)) } : {}),
  };
}
