import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { type ProofRule, verifiedText } from '../../src/buildkite/signature.ts';
import { MirrorError } from '../../src/errors.ts';
import { readRecorded, recordedSkip } from './recorded.ts';

interface Recorded {
  readonly token: string;
  readonly raw_body: string;
  readonly headers: { readonly 'X-Buildkite-Signature': string };
}

const secret = 'first secret';
const now = 1_800_000_000_000;
const signing: ProofRule = { mode: 'signature', secrets: [secret] };
const tokens: ProofRule = { mode: 'token', secrets: [secret] };

function sign(
  body: string | Buffer,
  { key = secret, at = now / 1000, format = 'timestamp=T,signature=S' } = {},
): string {
  const hex = createHmac('sha256', key).update(`${at}.`).update(body).digest('hex');
  return format.replace('T', String(at)).replace('S', hex);
}

async function outcome(body: string | Buffer, header: string | undefined, rule = signing, at = now): Promise<string> {
  return outcomeOf(body, { signature: header, token: undefined }, rule, at);
}

async function outcomeOf(
  body: string | Buffer,
  proof: { signature: string | undefined; token: string | undefined },
  rule: ProofRule,
  at = now,
): Promise<string> {
  try {
    await verifiedText(Buffer.from(body), proof, rule, at);
    return 'verified';
  } catch (error) {
    assert.ok(error instanceof MirrorError, String(error));
    return error.code;
  }
}

const refused = 'ERR_DELIVERY_UNVERIFIED';

describe('a signature', () => {
  it('of Buildkite’s own recorded ping is verified, and its text returned', { skip: recordedSkip }, async () => {
    const ping = readRecorded<Recorded>('webhooks/ping.go-buildkite.signed.json');
    const proof = { signature: ping.headers['X-Buildkite-Signature'], token: undefined };
    const rule: ProofRule = { mode: 'signature', secrets: [ping.token] };
    assert.equal(await verifiedText(Buffer.from(ping.raw_body), proof, rule, 1_642_080_837_000), ping.raw_body);
  });

  it('counts for exactly five minutes either way', async () => {
    const seconds = now / 1000;
    assert.equal(await outcome('{}', sign('{}', { at: seconds - 300 })), 'verified');
    assert.equal(await outcome('{}', sign('{}', { at: seconds - 301 })), refused);
    assert.equal(await outcome('{}', sign('{}', { at: seconds + 300 })), 'verified');
    assert.equal(await outcome('{}', sign('{}', { at: seconds + 301 })), refused);
  });

  it('is aged in whole seconds, as its timestamp is', async () => {
    assert.equal(await outcome('{}', sign('{}', { at: now / 1000 - 300 }), signing, now + 999), 'verified');
    assert.equal(await outcome('{}', sign('{}', { at: now / 1000 - 300 }), signing, now + 1000), refused);
  });

  it('may be made with any of the secrets in force, and with no other', async () => {
    const rule: ProofRule = { mode: 'signature', secrets: ['older', secret, 'newer'] };
    assert.equal(await outcome('{}', sign('{}', { key: 'newer' }), rule), 'verified');
    assert.equal(await outcome('{}', sign('{}', { key: 'older' }), rule), 'verified');
    assert.equal(await outcome('{}', sign('{}', { key: 'another' }), rule), refused);
  });

  it('passes nothing when there is no secret', async () => {
    assert.equal(await outcome('{}', sign('{}', { key: 'any' }), { mode: 'signature', secrets: [] }), refused);
  });

  it('tolerates spaces around its parts and either order', async () => {
    assert.equal(await outcome('{}', sign('{}', { format: '  timestamp=T ,  signature=S ' })), 'verified');
    assert.equal(await outcome('{}', sign('{}', { format: 'signature=S,timestamp=T' })), 'verified');
  });

  const odd = {
    absent: undefined,
    empty: '',
    'without a timestamp': `signature=${'a'.repeat(64)}`,
    'without a digest': 'timestamp=1800000000,signature=',
    'with a digest that is too short': 'timestamp=1800000000,signature=abc',
    'in capitals': sign('{}').replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()),
    'sent twice': `${sign('{}')}, ${sign('{}')}`,
    'with a third part': `${sign('{}')},version=1`,
    'with a fraction in its timestamp': sign('{}', { at: now / 1000 + 0.5 }),
    'with a signed timestamp': sign('{}', { format: 'timestamp=+T,signature=S' }),
    'with an endless timestamp': `timestamp=${'9'.repeat(400)},signature=${'a'.repeat(64)}`,
    'of other bytes': sign('{ }'),
  };
  for (const [what, header] of Object.entries(odd)) {
    it(`${what} is refused`, async () => assert.equal(await outcome('{}', header), refused));
  }

  it('over bytes that are not UTF-8 calls them malformed, and does not pass for its replacement characters', async () => {
    const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
    assert.equal(await outcome(bytes, sign(bytes)), 'ERR_DELIVERY_MALFORMED');
    assert.equal(await outcome(bytes, sign(bytes.toString('utf8'))), refused);
    assert.equal(await outcome(bytes, sign(Buffer.from([0x7b, 0xfe, 0x7d]))), refused);
  });

  it('over an empty body is judged like any other', async () => {
    assert.equal(await outcome('', sign('')), 'verified');
    assert.equal(await outcome('', sign('{}')), refused);
  });

  it('keeps a byte order mark, which was signed too', async () => {
    const body = Buffer.from('\uFEFF{}');
    const text = await verifiedText(body, { signature: sign(body), token: undefined }, signing, now);
    assert.equal(text, '\uFEFF{}');
  });
});

describe('the mode', () => {
  it('signature takes no token for an answer, also a right one', async () => {
    assert.equal(await outcomeOf('{}', { signature: undefined, token: secret }, signing), refused);
    assert.equal(await outcomeOf('{}', { signature: sign('{ }'), token: secret }, signing), refused);
  });

  it('token takes no signature for an answer, also a right one', async () => {
    assert.equal(await outcomeOf('{}', { signature: sign('{}'), token: undefined }, tokens), refused);
    assert.equal(await outcomeOf('{}', { signature: sign('{}'), token: 'wrong' }, tokens), refused);
  });

  it('token accepts each token in force and no part of one', async () => {
    const rule: ProofRule = { mode: 'token', secrets: ['older', secret] };
    const given = (token: string | undefined): Promise<string> =>
      outcomeOf('{}', { signature: undefined, token }, rule);
    assert.equal(await given(secret), 'verified');
    assert.equal(await given('older'), 'verified');
    assert.equal(await given('olde'), refused);
    assert.equal(await given(''), refused);
    assert.equal(await given(undefined), refused);
    assert.equal(await outcomeOf('{}', { signature: undefined, token: '' }, { mode: 'token', secrets: [] }), refused);
  });

  it('token calls a body that is not UTF-8 malformed, once the token is right', async () => {
    const bytes = Buffer.from([0xff]);
    assert.equal(await outcomeOf(bytes, { signature: undefined, token: secret }, tokens), 'ERR_DELIVERY_MALFORMED');
    assert.equal(await outcomeOf(bytes, { signature: undefined, token: 'x' }, tokens), refused);
  });
});
