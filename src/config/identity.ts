/** The settings of identity: who may be who, and where the policy lies. Without any of them there is no identity. */
import type { EnvReader } from './env-reader.ts';
import type { ReachSettings } from './reach.ts';
import type { TlsSettings } from './tls.ts';
import { isLoopbackHost, loopbackNames } from './values.ts';

export interface IdentitySettings {
  /** Absolute; null: nobody reads anything but by a named token. */
  readonly policyFile: string | null;
  readonly people: PeopleSettings | null;
  readonly ci: CiSettings;
  /** Whether readers come by https: cookies are then marked as such. */
  readonly isSecure: boolean;
}

export interface PeopleSettings {
  /** As the provider spells it. */
  readonly issuer: string;
  /** The OpenID Connect login; null where a proxy in front tells who it is. */
  readonly clientId: string | null;
  readonly scopes: string;
  readonly groupsClaim: string;
  readonly sessionSeconds: number;
  readonly assertion: AssertionSettings | null;
}

/** A header with a signed token (a JWT), set by a proxy that people have signed in at. */
export interface AssertionSettings {
  /** Lower case. */
  readonly header: string;
  readonly jwksUrl: URL;
  readonly audience: string;
}

/** Who signs the tokens of Buildkite's agents. */
export interface CiSettings {
  readonly issuer: string;
  readonly jwksUrl: URL;
}

const prefix = 'KITEMIRROR_OIDC_';

/** @param url KITEMIRROR_URL; null where that is at fault itself @param base folder that relative paths start from */
export function readIdentity(
  read: EnvReader,
  url: URL | null,
  toPath: (text: string) => string,
): IdentitySettings | null {
  const policyFile = read.optional('KITEMIRROR_POLICY', toPath);
  const issuer = read.optional(`${prefix}ISSUER`, parseIssuer);
  const assertion = readAssertion(read);
  const clientId = read.optional(`${prefix}CLIENT_ID`, (value) => value);
  const people = {
    clientId,
    assertion,
    scopes: read.parsed(`${prefix}SCOPES`, 'openid email profile', parseScopes),
    groupsClaim: read.text(`${prefix}GROUPS_CLAIM`, 'groups'),
    sessionSeconds: read.integer(`${prefix}SESSION_SECONDS`, 43_200, 60, 30 * 86_400),
  };
  const ci = {
    issuer: read.parsed(`${prefix}CI_ISSUER`, 'https://agent.buildkite.com', parseIssuer),
    jwksUrl: read.url(`${prefix}CI_JWKS_URL`, 'https://agent.buildkite.com/.well-known/jwks'),
  };
  if (issuer === null && (clientId !== null || assertion !== null))
    read.refuse(`${prefix}ISSUER is required where a login or an assertion is configured`);
  if (issuer !== null && clientId === null && assertion === null)
    read.refuse(`${prefix}CLIENT_ID (or ${prefix}ASSERTION_HEADER) is required where ${prefix}ISSUER is set`);
  if (issuer === null && policyFile === null) return null;
  const isSecure = url?.protocol === 'https:';
  if (url !== null && !isSecure && !loopbackNames.includes(url.hostname))
    read.refuse(`KITEMIRROR_URL is ${url.origin}: identity needs https, or anyone on the way could take it`);
  return { policyFile, people: issuer === null ? null : { issuer, ...people }, ci, isSecure };
}

/** Whether people sign in here without a refresh token being asked for: then groups are asked for while the access token lives. */
export function asksNoRefresh(people: PeopleSettings | null): boolean {
  return people !== null && people.clientId !== null && !people.scopes.split(' ').includes('offline_access');
}

interface Wire {
  readonly identity: IdentitySettings | null;
  /** null where it is at fault itself. */
  readonly listen: { readonly host: string } | null;
  readonly tls: TlsSettings | null;
  readonly reach: ReachSettings;
}

/**
 * What keeps identity from being safe: sessions and tokens on the network in the clear. A front that speaks https for the
 * mirror is known by being trusted.
 * @returns a sentence that says what is set, why it is refused, and the remedies; null: nothing does
 */
export function openWire({ identity, listen, tls, reach }: Wire): string | null {
  if (identity === null || listen === null || isLoopbackHost(listen.host)) return null;
  if (tls !== null || reach.trustedProxies.length > 0) return null;
  return (
    `KITEMIRROR_LISTEN is on ${listen.host}: identity needs https beyond this machine, or anyone on the way could take it; ` +
    'set KITEMIRROR_TLS_CERT and KITEMIRROR_TLS_KEY, or name the front that speaks https by KITEMIRROR_TRUSTED_PROXIES, ' +
    'or listen on 127.0.0.1'
  );
}

function readAssertion(read: EnvReader): AssertionSettings | null {
  const header = read.optional(`${prefix}ASSERTION_HEADER`, parseHeader);
  const jwksUrl = read.optional(`${prefix}ASSERTION_JWKS_URL`, parseUrl);
  const audience = read.optional(`${prefix}ASSERTION_AUDIENCE`, (value) => value);
  if (header === null && jwksUrl === null && audience === null) return null;
  if (header !== null && jwksUrl !== null && audience !== null) return { header, jwksUrl, audience };
  read.refuse(`${prefix}ASSERTION_HEADER, …_JWKS_URL and …_AUDIENCE go together: set all three`);
  return null;
}

function parseHeader(value: string): string {
  const name = value.toLowerCase();
  if (!/^[a-z0-9-]+$/.test(name)) throw new Error('is not the name of a header');
  if (/^x-(kitemirror|forwarded)/.test(name) || ['cookie', 'authorization', 'host'].includes(name))
    throw new Error(`is "${value}", which the mirror itself sets or reads`);
  return name;
}

function parseScopes(value: string): string {
  if (!value.split(' ').includes('openid')) throw new Error('must hold openid');
  return value;
}

function parseIssuer(value: string): string {
  parseUrl(value);
  return value;
}

function parseUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : null;
  const isPlain = url?.protocol === 'http:' && loopbackNames.includes(url.hostname);
  if (
    url === null ||
    (url.protocol !== 'https:' && !isPlain) ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  )
    throw new Error(`is "${value}", not an https URL (http on loopback)`);
  return url;
}
