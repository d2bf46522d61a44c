/**
 * Whether a delivery is Buildkite's. Works on the raw bytes; nothing is parsed before this has passed, and a delivery
 * is judged by the one mode that is configured: the other kind's header counts for nothing.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { verifyWithFallback } from '@octokit/webhooks-methods';
import { MirrorError } from '../errors.ts';

/** The two headers that may vouch for a delivery, as they came; a repeated one is joined with `, `. */
export interface DeliveryProof {
  readonly signature: string | undefined;
  readonly token: string | undefined;
}

export interface ProofRule {
  readonly mode: 'signature' | 'token';
  /** All that are in force now (rotation); without any, no delivery passes. */
  readonly secrets: readonly string[];
}

/** Buildkite's documentation suggests five minutes against replays. The timestamp is whole seconds, so are the ages. */
const toleranceSeconds = 300;

/**
 * @param now ms since 1970
 * @returns the body as text, which in signature mode is exactly what was signed
 * @throws MirrorError ERR_DELIVERY_UNVERIFIED, the same for a missing, a wrong and a stale proof;
 *   ERR_DELIVERY_MALFORMED for a proven body that is not UTF-8
 */
export async function verifiedText(raw: Buffer, proof: DeliveryProof, rule: ProofRule, now: number): Promise<string> {
  const text = isUtf8(raw) ? raw.toString('utf8') : null;
  const verified =
    rule.mode === 'signature'
      ? await isSigned(text ?? raw, proof.signature, rule.secrets, now)
      : isKnownToken(proof.token, rule.secrets);
  if (!verified) {
    throw new MirrorError('ERR_DELIVERY_UNVERIFIED', `the ${rule.mode} is missing, wrong or out of date`);
  }
  if (text === null) throw new MirrorError('ERR_DELIVERY_MALFORMED', 'the body is not UTF-8');
  return text;
}

async function isSigned(
  body: string | Buffer,
  header: string | undefined,
  secrets: readonly string[],
  now: number,
): Promise<boolean> {
  const [secret, ...others] = secrets;
  const parts = parseSignature(header);
  if (secret === undefined || parts === null) return false;
  if (Math.abs(Math.floor(now / 1000) - Number(parts.timestamp)) > toleranceSeconds) return false;
  if (typeof body === 'string')
    return verifyWithFallback(secret, `${parts.timestamp}.${body}`, `sha256=${parts.signature}`, others);
  const given = Buffer.from(parts.signature, 'hex');
  return secrets.some((known) => timingSafeEqual(given, signatureOver(body, parts.timestamp, known)));
}

/**
 * The library signs text alone. Bytes that are not UTF-8 would be replaced first, and others would then pass too; they
 * are checked as they came, so that their sender is told what is wrong with them.
 */
function signatureOver(bytes: Buffer, timestamp: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(`${timestamp}.`).update(bytes).digest();
}

/** `timestamp=<whole seconds>,signature=<64 hex digits>`; spaces around the parts are Buildkite's to send. */
function parseSignature(header: string | undefined): { timestamp: string; signature: string } | null {
  const parts = (header ?? '').split(',').map((part) => part.trim());
  const value = (name: string): string | undefined =>
    parts.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
  const [timestamp, signature] = [value('timestamp'), value('signature')];
  if (parts.length !== 2 || timestamp === undefined || signature === undefined) return null;
  return /^\d{1,12}$/.test(timestamp) && /^[0-9a-f]{64}$/.test(signature) ? { timestamp, signature } : null;
}

function isKnownToken(token: string | undefined, secrets: readonly string[]): boolean {
  const given = digest(token ?? '');
  // All are compared, each in constant time: how long it took tells neither which matched nor how much of it.
  return secrets.map((secret) => timingSafeEqual(given, digest(secret))).includes(true);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
