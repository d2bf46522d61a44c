/** What the ways of signing in share: their parts, their line in the audit log, and one answer for all that does not hold. */
import type { Request } from 'express';
import { MirrorError, toMirrorError } from '../errors.ts';
import type { VerifiedJob } from '../identity/ci.ts';
import type { People, SignedIn } from '../identity/people.ts';
import { type AuditLine, writeAudit } from '../tree/audit.ts';
import type { DataPaths } from '../tree/paths.ts';
import { requestId } from './answers.ts';
import { addressOf, type GuardIdentity } from './guard.ts';
import type { RefusalRecord } from './refusals.ts';

export interface AuthIdentity extends GuardIdentity {
  readonly people: People | null;
  readonly sessionSeconds: number;
  readonly verifyJob: (token: string, nowSeconds: number) => Promise<VerifiedJob>;
  /** Hears of who has signed in, to ask the provider about them again. */
  readonly onSignIn: (signedIn: SignedIn) => void;
  /** Hears of who has made a link, and until when it holds: as long must the provider be asked about them. */
  readonly onLink: (subject: string, expires: number) => void;
}

export interface AuthParts {
  readonly paths: DataPaths;
  readonly organization: string;
  /** KITEMIRROR_URL's. */
  readonly origin: string;
  readonly identity: AuthIdentity;
  readonly refusals: RefusalRecord;
}

/**
 * The same answer for every reason, but where nothing could be judged: that is to be tried again.
 * @throws MirrorError ERR_SIGN_IN_FAILED, ERR_IDENTITY_UNAVAILABLE
 */
export async function refuse(
  parts: AuthParts,
  request: Request,
  what: 'login' | 'exchange',
  thrown: unknown,
): Promise<never> {
  const { code, message, cause } = toMirrorError(thrown);
  const why = cause instanceof Error && cause.message !== message ? `${message}: ${cause.message}` : message;
  await parts.refusals({ action: 'refusal', what, reason: why.slice(0, 300), ...from(request) });
  if (code === 'ERR_IDENTITY_UNAVAILABLE') throw thrown;
  throw new MirrorError(
    'ERR_SIGN_IN_FAILED',
    `${what === 'login' ? 'you were not signed in' : 'this was not accepted'}; the mirror’s audit log has the reason under the id`,
  );
}

export async function note(
  parts: Pick<AuthParts, 'paths'>,
  request: Request,
  line: Omit<AuditLine, 'address' | 'request'>,
): Promise<void> {
  await writeAudit(parts.paths, { ...line, ...from(request) });
}

function from(request: Request): { address: string; request: string } {
  return { address: addressOf(request), request: requestId(request) };
}

export function malformed(message: string): MirrorError {
  return new MirrorError('ERR_REQUEST_MALFORMED', message);
}
