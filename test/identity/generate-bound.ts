/** Links and cookies of report hosts, each good for one thing alone, shown for that thing and for others. */
import type { GrantTable } from '../../src/identity/grants.ts';
import { type SealKey, seal } from '../../src/identity/seals.ts';
import { type Dice, dice, key, mangle, now, older, subjects } from './generate.ts';

export interface BoundCase {
  /** Which of the tables. */
  readonly table: number;
  readonly now: number;
  readonly kind: 'link' | 'content';
  readonly token: string;
  /** What it is shown for. */
  readonly bound: string;
}

const hosts = ['0'.repeat(40), `${'0'.repeat(39)}1`, 'f'.repeat(40)];
const paths = ['/acme/web/builds/42/artifacts/a.zip', '/acme/web/builds/42/artifacts/ä b.zip', '/acme/web/builds/4'];
const bounds = [...hosts, ...paths];
const stranger: SealKey = { id: 'k1', secret: Buffer.alloc(32, 7) };

/** Few tokens, each shown often: the gate remembers what it has opened, and must not take it for what it is not. */
export function generateBoundCases(tables: readonly GrantTable[], count: number): BoundCase[] {
  const thrown = dice(1871);
  const tokens = Array.from({ length: 300 }, () => madeFor(thrown));
  return Array.from({ length: count }, () => {
    const { token, kind, bound } = thrown.pick(tokens);
    return {
      table: thrown.pick(tables.slice(0, 12).map((_, index) => index)),
      now,
      kind: thrown.chance(0.85) ? kind : thrown.pick(['link', 'content']),
      token: thrown.chance(0.8) ? token : mangle(thrown, token),
      bound: thrown.chance(0.7) ? bound : thrown.pick(bounds),
    };
  });
}

function madeFor(thrown: Dice): Pick<BoundCase, 'kind' | 'token' | 'bound'> {
  const kind = thrown.pick(['link', 'content'] as const);
  const bound = thrown.pick(kind === 'link' ? paths : hosts);
  const issued = thrown.pick([now - 10, now - 10, now - 10, now - 50, now - 200, now + 60, now + 61]);
  const facts = {
    id: thrown.pick(['session-1', 'session-2', 'session-3']),
    subject: thrown.pick(subjects),
    issued,
    expires: thrown.pick([
      now + 100,
      now + 100,
      now + 100,
      now,
      issued + 30 * 86_400,
      issued + 31 * 86_400,
      issued + 366 * 86_400,
      issued + 366 * 86_400 + 1,
    ]),
  };
  const by = thrown.pick([key, key, key, older, stranger]);
  // One in ten is bound to nothing, or is of a kind that never is.
  const made = thrown.chance(0.9)
    ? seal(by, kind, facts, bound)
    : seal(by, thrown.pick([kind, 'session', 'bearer']), facts);
  return { kind, token: mangle(thrown, made), bound };
}
