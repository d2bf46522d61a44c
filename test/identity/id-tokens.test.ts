/** Id tokens that the provider did not make for this login, or not so: nobody comes in by one. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type CryptoKey, decodeJwt, exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { identityState } from '../../src/identity/state.ts';
import type { Place } from '../../src/tree/paths.ts';
import { providerKeys } from './provider.ts';
import { addressOf, cookieIn, job, logIn, type Mirror, startMirror } from './scene.ts';

const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const file = `${addressOf(web)}/jobs/${job}/artifacts/a.txt`;
const { kid, privateKey, publicKey } = providerKeys;
const other = await generateKeyPair('RS256', { extractable: true });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const now = (): number => Math.floor(Date.now() / 1000);

/** The same token but for these claims, its header and its key; undefined: without that claim. */
const signed =
  (changed: Record<string, unknown> = {}, header = {}, key: CryptoKey | Uint8Array = privateKey) =>
  (idToken: string): Promise<string> =>
    new SignJWT({ ...decodeJwt(idToken), ...changed }).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(key);

type Change = (idToken: string) => string | Promise<string>;
/** Of the second each that is refused differs in one thing. */
const taken: Record<string, Change> = {
  'as the provider made it': (idToken) => idToken,
  'signed anew by the provider': signed(),
};
const refused: Record<string, Change> = {
  'for another audience': signed({ aud: 'another' }),
  'for two, the other of whom asked': signed({ aud: ['mirror', 'another'], azp: 'another' }),
  'of another issuer': signed({ iss: 'http://127.0.0.1:9' }),
  'with the nonce of another login': signed({ nonce: 'another' }),
  'without a nonce': signed({ nonce: undefined }),
  'that is over': signed({ exp: now() - 60 }),
  'that never ends': signed({ exp: undefined }),
  'of nobody': signed({ sub: undefined }),
  'of somebody else': signed({ sub: 'eve' }),
  'by a key that the provider does not know': signed({}, { kid: 'another' }, other.privateKey),
  'by another key under the name of the provider’s': signed({}, {}, other.privateKey),
  'by a key that it brings along': async (idToken) =>
    signed({}, { kid: undefined, jwk: await exportJWK(other.publicKey) }, other.privateKey)(idToken),
  'changed under its signature': async (idToken) => {
    const [head, , signature] = idToken.split('.');
    const [, claims] = (await signed({ groups: ['engineering'] })(idToken)).split('.');
    return [head, claims, signature].join('.');
  },
  'without its signature': (idToken) => idToken.replace(/[^.]+$/, ''),
  'by no algorithm': (idToken) => new UnsecuredJWT(decodeJwt(idToken)).encode(),
  'by the client’s secret': signed({}, { alg: 'HS256' }, bytes('sesame')),
  'by the provider’s public key as if it were a secret': async (idToken) =>
    signed({}, { alg: 'HS256' }, bytes(await exportSPKI(publicKey)))(idToken),
};

let mirror: Mirror;
before(async () => {
  mirror = await startMirror([web], 'version: 1\nrules:\n  - { who: { signed_in: true }, read: acme/web }\n');
});
after(() => mirror?.close());

/** Who is on record. */
const people = async (): Promise<string[]> =>
  [...(await identityState(mirror.paths).subjects.all()).values()].flatMap((card) =>
    card.kind === 'user' ? card.user : [],
  );

describe('an id token is taken', () => {
  for (const [name, change] of Object.entries(taken))
    it(name, async () => {
      mirror.provider.changes = change;
      const { answer } = await logIn(mirror, name);
      assert.equal(answer.status, 302);
      const headers = { Cookie: `kitemirror=${cookieIn(answer, 'kitemirror')}` };
      assert.equal((await mirror.get(file, { headers })).status, 200);
      assert.ok((await people()).includes(name));
    });
});

describe('an id token is refused', () => {
  for (const [name, change] of Object.entries(refused))
    it(name, async () => {
      mirror.provider.changes = change;
      const known = await people();
      const { answer } = await logIn(mirror, name);
      assert.equal(answer.status, 403, answer.text);
      assert.equal(cookieIn(answer, 'kitemirror'), '');
      assert.deepEqual(await people(), known);
      const told = mirror.audit().at(-1);
      assert.deepEqual([told?.action, told?.what], ['refusal', 'login']);
      // What was wrong with it.
      assert.match(String(told?.reason), /JWT|ID Token|JSON attribute|key/);
    });
});
