/** What is kept of people, jobs, tokens and keys: a card for each under state/identity. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { type Cards, cardsIn } from '../tree/cards.ts';
import type { DataPaths } from '../tree/paths.ts';

const when = z.number().int().nonnegative();

/** All times are seconds since 1970. */
export const KeyCard = z.object({
  id: z.string().regex(/^[a-z0-9]{1,16}$/),
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  made: when,
});
export type KeyCard = z.infer<typeof KeyCard>;

const base = { id: z.string(), issuer: z.string(), seen: when };
export const SubjectCard = z.discriminatedUnion('kind', [
  z.object({
    ...base,
    kind: z.literal('user'),
    user: z.string(),
    email: z.string().nullable(),
    groups: z.array(z.string()),
    /** When who vouches for them said so, by its own clock. Cards of earlier versions have none. */
    told: when.optional(),
  }),
  z.object({
    ...base,
    kind: z.literal('ci'),
    claims: z.object({
      organization: z.string(),
      organizationId: z.string().nullable(),
      pipeline: z.string(),
      pipelineId: z.string().nullable(),
    }),
  }),
]);
export type SubjectCard = z.infer<typeof SubjectCard>;

/** A named token: of its secret only the digest is kept. */
export const TokenCard = z.object({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  reads: z.array(z.string()),
  made: when,
  expires: when,
});
export type TokenCard = z.infer<typeof TokenCard>;

/**
 * `id`: one session, exchange, link or named token. `subject`: all that was sealed for it until `at`. `before`: all that
 * was given out before `at`. A named token is also revoked by removing its card, a key by that alone.
 */
export const RevocationCard = z.object({
  what: z.enum(['id', 'subject', 'before']),
  value: z.string(),
  at: when,
});
export type RevocationCard = z.infer<typeof RevocationCard>;

export interface IdentityState {
  readonly keys: Cards<KeyCard>;
  readonly subjects: Cards<SubjectCard>;
  readonly tokens: Cards<TokenCard>;
  readonly revoked: Cards<RevocationCard>;
}

export function identityState({ root, identity }: Pick<DataPaths, 'root' | 'identity'>): IdentityState {
  return {
    keys: cardsIn(root, join(identity, 'keys'), KeyCard),
    subjects: cardsIn(root, join(identity, 'subjects'), SubjectCard),
    tokens: cardsIn(root, join(identity, 'tokens'), TokenCard),
    revoked: cardsIn(root, join(identity, 'revoked'), RevocationCard),
  };
}

/** What the gate reads. */
export function grantsFile(paths: Pick<DataPaths, 'identity'>): string {
  return join(paths.identity, 'grants');
}

export function newKey(now: number): KeyCard {
  return { id: `k${randomBytes(4).toString('hex')}`, secret: randomBytes(32).toString('hex'), made: now };
}

/** @returns the card to keep, and the token itself, which is shown once */
export function newToken(facts: Pick<TokenCard, 'name' | 'reads' | 'made' | 'expires'>): {
  card: TokenCard;
  token: string;
} {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(secret).digest('hex');
  return { card: { id, sha256, ...facts }, token: `kmt_${id}_${secret}` };
}

/** The same for the same subject, and telling nothing of it. */
export function subjectId(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}

/** Of a session, an exchange or a link. Given on command lines (`revoke --id`), where nothing may begin with a dash. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}

/** Which of our ids has this form; null: none. A named token's is the shorter one, and has a card. */
export function kindOfId(text: string): 'token' | 'seal' | null {
  if (!/^[0-9a-f]+$/.test(text)) return null;
  return text.length === 16 ? 'token' : text.length === 32 ? 'seal' : null;
}

/**
 * Before when all that was given out is void; 0: nothing is. Each time has a card of its own, whose value it is: of two
 * commands at once neither writes over the other's, and the later time counts.
 */
export function voidBefore(cards: Iterable<RevocationCard>): number {
  return Math.max(0, ...Array.from(cards, ({ what, at }) => (what === 'before' ? at : 0)));
}

/** The card of a revocation: named by what it revokes, so that one thing has one card. */
export function revocationName({ what, value }: Pick<RevocationCard, 'what' | 'value'>): string {
  return `${what}-${createHash('sha256').update(value).digest('hex').slice(0, 32)}`;
}
