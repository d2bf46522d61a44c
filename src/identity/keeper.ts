/**
 * Keeps the grants right: works them out of policy, people, tokens and revocations whenever one of these changes, and
 * writes them for the gate. One gateway runs it; commands change the cards and wait for it to notice.
 */

import { versionOf } from '../config/secret.ts';
import { toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import { writeAudit } from '../tree/audit.ts';
import { makeSecretFolder, secretFile } from '../tree/cards.ts';
import { isAbsent, writeAtomic } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import { formatGrants, type GrantTable, type NamedToken, type SubjectGrants } from './grants.ts';
import { closedPolicy, namesGroups, type Policy, parseRead } from './policy.ts';
import { type LoadedPolicy, loadPolicy } from './policy-file.ts';
import { longestLife, type SealKey } from './seals.ts';
import {
  grantsFile,
  type IdentityState,
  identityState,
  newKey,
  type RevocationCard,
  revocationName,
  type SubjectCard,
  type TokenCard,
  voidBefore,
} from './state.ts';
import { grantsFor, nameOf, publicPathsOf, type Subject, toRule } from './subjects.ts';
import { isOlderWord } from './words.ts';

export interface Keeper {
  /** By which the gateway decides; never older than the file. */
  table(): GrantTable;
  /** The newest, which seals. */
  key(): SealKey;
  /** From now on the gate knows this subject as it is told here, unless something newer was told of them before. */
  admit(subject: SubjectCard): Promise<void>;
  /** They were told of once more, and the same: nothing is written, and no word from before counts any longer. */
  confirm(subject: SubjectCard): void;
  subject(id: string): SubjectCard | null;
  /** Whether the policy in force goes by groups. */
  namesGroups(): boolean;
  revoke(card: RevocationCard): Promise<void>;
  /** Looks whether anything has changed. Called once a second. */
  refresh(): Promise<void>;
}

export interface KeeperOptions {
  readonly paths: DataPaths;
  /** null: nobody reads anything but by named tokens. */
  readonly policyFile: string | null;
  readonly log: Log;
  readonly nowSeconds?: () => number;
}

const heartbeatSeconds = 30;
/** The one that seals, and the one before it. */
const liveKeys = 2;
/** A job's tokens live an hour; a person's sessions thirty days. */
const forgetAfter = { ci: 2 * 3600, user: longestLife.session + 86_400 };

/** @throws MirrorError ERR_CONFIG for a policy that is none, or that fails its own tests */
export async function openKeeper(options: KeeperOptions): Promise<Keeper> {
  const { paths, policyFile, log } = options;
  const now = options.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
  const state = identityState(paths);
  const subjects = await state.subjects.all((name) => log.warn({ name }, 'a subject cannot be read'));
  let loaded = policyFile === null ? null : await loadPolicy(policyFile);
  let onRecord: string | null = null;
  let lookedAt = now();
  let seen = await versionsOf(state, policyFile);
  let parts = await readParts(state, lookedAt, log);
  let checkedAt = parts.isWhole ? lookedAt : 0;
  let table = build();
  let writing: Promise<void> = Promise.resolve();
  let refreshing: Promise<void> | undefined;

  function build(): GrantTable {
    return tableOf(loaded?.policy ?? closedPolicy, subjects, parts, { checkedAt, now: now() });
  }

  /**
   * That it succeeded is what the gate's time tells: who could have been revoked meanwhile must not stay let in. What was known
   * of a revocation that cannot be read any more stays in force until then.
   */
  async function readAgain(at: number): Promise<void> {
    const found = await readParts(state, at, log);
    parts = found.isWhole ? found : { ...found, revoked: new Map([...parts.revoked, ...found.revoked]) };
    if (found.isWhole) checkedAt = at;
    lookedAt = at;
  }

  async function write(): Promise<void> {
    const next = build();
    await makeSecretFolder(paths.root, paths.identity);
    await writeAtomic(grantsFile(paths), formatGrants(next), { mode: secretFile, durable: false });
    table = next;
  }

  /** One after the other, and each with all that is known when its turn comes. */
  async function publish(): Promise<void> {
    const turn = writing.then(write);
    writing = turn.catch(() => undefined);
    await turn;
  }

  async function takeChanges(): Promise<void> {
    const at = now();
    const found = await versionsOf(state, policyFile);
    // Now and then all is read whatever the versions say: a card of the very tick of the last look has changed none.
    if (found === seen && Math.abs(at - lookedAt) < heartbeatSeconds) return;
    await readAgain(at);
    if (policyFile !== null) loaded = await reload(policyFile, loaded, log);
    await publish();
    seen = found;
  }

  /** Behind its taking force: a full disk must not keep a stricter one out. Until it is written it is tried again. */
  async function notePolicy(): Promise<void> {
    if (loaded === null || loaded.sha256 === onRecord) return;
    const { sha256 } = loaded;
    await writeAudit(paths, { action: 'policy', what: policyFile ?? '', sha256, reason: 'in force' });
    onRecord = sha256;
  }

  await forget(state, subjects, now());
  await publish();
  await notePolicy().catch((thrown: unknown) => logError(log, thrown, 'the policy in force is not on record yet'));
  return {
    table: () => table,
    key: () => parts.keys[0] as SealKey,
    subject: (id) => subjects.get(id) ?? null,
    namesGroups: () => loaded !== null && namesGroups(loaded.policy),
    admit: async (subject) => {
      if (isOlderWord(subject, subjects.get(subject.id) ?? null, now())) return;
      subjects.set(subject.id, subject);
      await state.subjects.put(subject.id, subject);
      await publish();
    },
    confirm: (subject) => void subjects.set(subject.id, subject),
    revoke: async (card) => {
      await state.revoked.put(revocationName(card), card);
      await readAgain(now());
      await publish();
    },
    refresh: () => {
      refreshing ??= takeChanges()
        .then(notePolicy)
        .catch((thrown: unknown) => logError(log, thrown, 'the grants were not brought up to date'))
        .finally(() => {
          refreshing = undefined;
        });
      return refreshing;
    },
  };
}

interface Parts {
  /** The newest first. */
  readonly keys: readonly SealKey[];
  readonly tokens: readonly TokenCard[];
  /** By the names of their cards. */
  readonly revoked: ReadonlyMap<string, RevocationCard>;
  /** Each revocation that there is could be read. */
  readonly isWhole: boolean;
}

async function readParts(state: IdentityState, now: number, log: Log): Promise<Parts> {
  const warn = (what: string) => (name: string) => log.warn({ name }, `a ${what} cannot be read`);
  const keys = [...(await state.keys.all(warn('key'))).values()].toSorted((left, right) => right.made - left.made);
  if (keys.length === 0) {
    const first = newKey(now);
    await state.keys.put(first.id, first);
    keys.push(first);
  }
  let isWhole = true;
  const revoked = await state.revoked.all((name) => {
    isWhole = false;
    log.error(
      { name },
      'a revocation cannot be read: soon nobody is let in; remove its card, and revoke anew what it was of',
    );
  });
  return {
    keys: keys.slice(0, liveKeys).map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'hex') })),
    tokens: [...(await state.tokens.all(warn('token'))).values()],
    revoked,
    isWhole,
  };
}

/** Seconds since 1970. */
interface Times {
  /** When what is revoked was last read. */
  readonly checkedAt: number;
  readonly now: number;
}

function tableOf(
  policy: Policy,
  cards: ReadonlyMap<string, SubjectCard>,
  parts: Parts,
  { checkedAt, now }: Times,
): GrantTable {
  const revoked = [...parts.revoked.values()];
  const since = new Map(revoked.flatMap(({ what, value, at }) => (what === 'subject' ? [[value, at] as const] : [])));
  const subjects = new Map<string, SubjectGrants>();
  const add = (subject: Subject): void => {
    const { id, kind, issuer } = subject;
    const grants = grantsFor(policy, subject);
    subjects.set(id, { kind, name: nameOf(subject), issuer, since: since.get(id) ?? 0, grants });
  };
  for (const { seen: _, ...subject } of cards.values()) add(subject);
  const tokens = new Map<string, NamedToken>();
  for (const { id, name, sha256, made, expires, reads } of parts.tokens) {
    if (expires <= now) continue;
    const subject = `token-${id}`;
    add({
      id: subject,
      kind: 'token',
      issuer: 'kitemirror',
      name,
      reads: reads.map((read) => toRule(parseRead(read))),
    });
    tokens.set(id, { sha256, made, expires, subject });
  }
  return {
    time: checkedAt,
    before: voidBefore(revoked),
    keys: parts.keys,
    everyone: grantsFor(policy, null),
    publics: publicPathsOf(policy),
    subjects,
    tokens,
    revoked: new Set(revoked.flatMap(({ what, value }) => (what === 'id' ? [value] : []))),
  };
}

/** One that cannot be used leaves the one that is in force. */
async function reload(file: string, current: LoadedPolicy | null, log: Log): Promise<LoadedPolicy | null> {
  try {
    const next = await loadPolicy(file);
    if (next.sha256 === current?.sha256) return current;
    log.info({ file, rules: next.policy.rules.length }, 'the policy is in force');
    return next;
  } catch (thrown) {
    log.error(
      { file, reason: toMirrorError(thrown).message },
      'the policy cannot be used; the one before stays in force',
    );
    return current;
  }
}

async function versionsOf(state: IdentityState, policyFile: string | null): Promise<string> {
  const folders = [state.keys, state.tokens, state.revoked];
  const versions = await Promise.all(folders.map((cards) => cards.version()));
  return [...versions, policyFile === null ? '' : policyVersion(policyFile)].join(' ');
}

function policyVersion(file: string): string {
  try {
    return versionOf(file);
  } catch (thrown) {
    if (isAbsent(thrown)) return 'none';
    throw thrown;
  }
}

/** What no token can be of any more. */
async function forget(state: IdentityState, subjects: Map<string, SubjectCard>, now: number): Promise<void> {
  for (const [name, { kind, seen }] of subjects) {
    if (now - seen <= forgetAfter[kind]) continue;
    await state.subjects.remove(name);
    subjects.delete(name);
  }
  const tokens = new Set([...(await state.tokens.all()).values()].map(({ id }) => id));
  const revoked = await state.revoked.all();
  const before = voidBefore(revoked.values());
  for (const [name, { what, value, at }] of revoked) {
    // A named token may outlive what else there is, and of the times before which all is void the latest counts alone.
    const isOver = now - at > longestLife.session + 86_400;
    if (what === 'before' ? at === before : !isOver || (what === 'id' && tokens.has(value))) continue;
    await state.revoked.remove(name);
  }
}
