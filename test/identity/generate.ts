/** Grants and requests, generated from a fixed seed: small sets of names, so that much of it meets. */
import { createHash, randomBytes } from 'node:crypto';
import type { Grant, Rule } from '../../src/identity/decide.ts';
import type { GrantTable, SubjectGrants } from '../../src/identity/grants.ts';
import { type SealKey, type SealKind, seal } from '../../src/identity/seals.ts';
import type { Label } from '../../src/tree/labels.ts';

export interface Case {
  /** Which of the tables. */
  readonly table: number;
  readonly now: number;
  readonly address: string;
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  /** An empty pipelineId stands for a build without a label. */
  readonly label: Label;
  readonly path: string;
}

export const now = 1_800_000_000;
const ids = ['0190a1b2-0000-4000-8000-00000000000a', '0190a1b2-0000-4000-8000-00000000000b'];
const organizations = ['acme', '*', 'ac*', 'other'];
const pipelines = ['web', 'app', '*', 'we*', '*b', 'w*e*b*'];
const branches = ['main', 'release/*', '*', 'feature/*-x', 'mäin*', 'v**2', 'release/1.x', 'a*b*c*d'];
const realBranches = ['main', 'release/1.x', 'release/', 'feature/a-x', 'mäin-ü', 'v12', 'v', '*', 'aXbYcZd', 'abcabd'];
const ranges = [
  ['10.0.0.0/8'],
  ['192.168.1.7'],
  ['2001:db8::/32', '10.1.2.3/32'],
  ['0.0.0.0/0'],
  ['::/0'],
  ['fe80::1'],
];
const addresses = [
  '10.1.2.3',
  '192.168.1.7',
  '8.8.8.8',
  '2001:db8::5',
  '2001:db9::5',
  'fe80::1',
  '::1',
  '::ffff:10.0.0.1',
  '',
];
export const subjects = ['subject-a', 'subject-b', 'subject-c', 'subject-d'];
const pathPatterns = ['artifacts/badge.svg', 'artifacts/public/*', '*.svg', 'jobs/*/artifacts/a*'];
const paths = ['artifacts/badge.svg', 'artifacts/public/a/b', 'artifacts/x.svg', 'jobs/1/artifacts/abc', 'log.txt'];

/** mulberry32: the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Dice {
  pick<T>(from: readonly T[]): T;
  some<T>(from: readonly T[], most: number): T[];
  chance(part: number): boolean;
}

export function dice(seed: number): Dice {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  return {
    pick,
    some: (from, most) => Array.from({ length: Math.floor(next() * (most + 1)) }, () => pick(from)),
    chance: (part) => next() < part,
  };
}

function rule({ pick, some, chance }: Dice): Rule {
  const byId = chance(0.2);
  const names = some(branches, 3);
  return {
    organization: byId ? '*' : pick(organizations),
    pipeline: byId ? null : pick(pipelines),
    pipelineId: byId ? pick(ids) : null,
    branches: chance(0.4) || names.length === 0 ? null : names,
  };
}

function grants(thrown: Dice, most: number): Grant[] {
  return thrown
    .some([0], most)
    .map(() => ({ rule: rule(thrown), addresses: thrown.chance(0.3) ? thrown.pick(ranges) : null }));
}

/** The key, the tokens' secrets and who they are of are the same in all tables. */
export const key: SealKey = { id: 'k1', secret: randomBytes(32) };
export const older: SealKey = { id: 'k0', secret: randomBytes(32) };
const secrets = ['a', 'b'].map((letter) => ({ id: letter.repeat(16), secret: letter.repeat(43) }));

export function generateTables(count: number): GrantTable[] {
  return Array.from({ length: count }, (_, index) => {
    const thrown = dice(index + 1);
    const known = subjects.filter(() => thrown.chance(0.8));
    const of = (id: string): SubjectGrants => ({
      kind: id === 'subject-a' ? 'user' : id === 'subject-b' ? 'ci' : 'token',
      name: `${id}\tö`,
      issuer: 'https://issuer.example',
      since: thrown.chance(0.1) ? now - 50 : 0,
      grants: grants(thrown, 4),
    });
    return {
      time: thrown.chance(0.1) ? now - 901 : now - 30,
      before: thrown.chance(0.1) ? now - 150 : 0,
      keys: thrown.chance(0.9) ? [key, older] : [key],
      everyone: grants(thrown, 1),
      publics: thrown.chance(0.5) ? [{ rule: rule(thrown), paths: [thrown.pick(pathPatterns)] }] : [],
      subjects: new Map(known.map((id) => [id, of(id)])),
      tokens: new Map(
        secrets.map(({ id, secret }, at) => [
          id,
          {
            sha256: createHash('sha256').update(secret).digest('hex'),
            made: thrown.pick([now - 10, now - 10, now - 100, now - 200]),
            expires: thrown.chance(0.8) ? now + 10 : now,
            subject: subjects[at + 2] as string,
          },
        ]),
      ),
      revoked: new Set([
        ...(thrown.chance(0.2) ? ['session-1'] : []),
        ...secrets.flatMap(({ id }) => (thrown.chance(0.2) ? [id] : [])),
      ]),
    };
  });
}

export function generateCases(tables: readonly GrantTable[], count: number): Case[] {
  const thrown = dice(4711);
  return Array.from({ length: count }, () => {
    const id = thrown.chance(0.95) ? thrown.pick(ids) : '';
    return {
      table: thrown.pick(tables.map((_, index) => index)),
      now,
      address: thrown.pick(addresses),
      ...credentials(thrown),
      label: {
        organization: thrown.pick(['acme', 'other', 'acm']),
        pipeline: thrown.pick(['web', 'app', 'wxexb', 'weeb', 'b']),
        pipelineId: id,
        branch: thrown.chance(0.2) ? null : thrown.pick(realBranches),
      },
      path: thrown.pick(paths),
    };
  });
}

function credentials(thrown: Dice): Pick<Case, 'authorization' | 'cookie'> {
  if (thrown.chance(0.15)) return { authorization: undefined, cookie: undefined };
  if (thrown.chance(0.15)) return { authorization: thrown.pick(bearers()), cookie: undefined };
  const kind = thrown.pick<SealKind>(['session', 'session', 'session', 'bearer', 'bearer', 'link', 'content']);
  const issued = thrown.pick([now - 10, now - 10, now - 50, now - 100, now - 200, now + 61, now + 60]);
  const what = {
    id: thrown.pick(['session-1', 'session-2', 'session-3']),
    subject: thrown.pick(subjects),
    issued,
    expires: thrown.pick([now + 100, now + 100, now + 100, now + 1, now, now - 1, issued + 40 * 86_400]),
  };
  const token = mangle(thrown, seal(thrown.pick([key, key, older]), kind, what));
  if (thrown.chance(0.4))
    return { authorization: `${thrown.pick(['Bearer', 'bearer', 'BEARER '])} ${token}`, cookie: undefined };
  const cookie = thrown.pick([
    `kitemirror=${token}`,
    `a=b; kitemirror=${token}`,
    ` kitemirror = ${token} ; theme=dark`,
    `kitemirror=${token}; kitemirror=${token}`,
    `xkitemirror=${token}`,
    `KITEMIRROR=${token}`,
    `kitemirror=`,
  ]);
  return {
    authorization: thrown.chance(0.2) ? 'Basic dTpw' : undefined,
    cookie: thrown.chance(0.7) ? `kitemirror=${token}` : cookie,
  };
}

function bearers(): string[] {
  const named = secrets.map(({ id, secret }) => `Bearer kmt_${id}_${secret}`);
  return [
    ...named,
    ...named,
    ...named,
    `${named[0]}x`,
    (named[0] ?? '').replace(/a$/, 'b'),
    `Bearer kmt_${'c'.repeat(16)}_${'c'.repeat(43)}`,
    `Bearer kmt_${'A'.repeat(16)}_${'a'.repeat(43)}`,
    'Bearer kmt_',
    'Bearer',
    'Bearer ',
    'Bearer v1.b.k1',
    'Bearerx y',
  ];
}

/** Most are left as they are. */
export function mangle(thrown: Dice, token: string): string {
  if (thrown.chance(0.75)) return token;
  const mac = token.slice(-64);
  return thrown.pick([
    `${token}0`,
    token.slice(0, -1),
    token.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    token.toUpperCase(),
    `${token.slice(0, -64)}${mac.toUpperCase()}`,
    token.replace('v1.', 'v2.'),
    token.replace('.k1.', '.k9.'),
    token.replace('subject-a', 'subject-b'),
    token.replace(/\.\d+\./, '.1.'),
    ` ${token}`,
    `${token}.`,
    token.replace('v1.', 'v1..'),
    `${token.slice(0, -64)}${'0'.repeat(64)}`,
    `${'x'.repeat(300)}${token}`,
  ]);
}
