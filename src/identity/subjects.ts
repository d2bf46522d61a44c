/** Who can be meant by a policy, and which of its rules hold for them. Pure. */
import type { Grant, PublicPaths, Rule } from './decide.ts';
import type { Policy, Read, Who } from './policy.ts';
import { matchesWildcard } from './wildcard.ts';

/** Claims of a Buildkite agent's token that was verified. */
export interface CiClaims {
  readonly organization: string;
  readonly organizationId: string | null;
  readonly pipeline: string;
  readonly pipelineId: string | null;
}

/** A person, by the identity provider's word; a CI job; a named token. */
export type Subject = {
  /** Stands in tokens and grants; a digest for people and jobs, so that it tells nothing. */
  readonly id: string;
  readonly issuer: string;
} & (
  | {
      readonly kind: 'user';
      readonly user: string;
      /** Only one that the provider has verified. */
      readonly email: string | null;
      readonly groups: readonly string[];
    }
  | { readonly kind: 'ci'; readonly claims: CiClaims }
  | { readonly kind: 'token'; readonly name: string; readonly reads: readonly Rule[] }
);

/** As logs call them. */
export function nameOf(subject: Subject): string {
  if (subject.kind === 'user') return subject.email ?? subject.user;
  return subject.kind === 'ci' ? `${subject.claims.organization}/${subject.claims.pipeline}` : subject.name;
}

export function toRule({ pipeline, pipelineId, branches }: Read): Rule {
  const [organization = '*', slug = null] = pipeline?.split('/') ?? [];
  return { organization, pipeline: slug, pipelineId, branches };
}

/** What holds for a subject beyond what holds for everybody. null: for who is not signed in, which is everybody. */
export function grantsFor(policy: Policy, subject: Subject | null): Grant[] {
  const granted = policy.rules.flatMap((rule) =>
    (rule.who ?? []).flatMap((who) => {
      if (!isMeant(policy, who, subject)) return [];
      return rule.read.map((read) => ({ rule: toRule(read), addresses: who.address ?? null }));
    }),
  );
  if (subject === null) {
    const open = policy.rules.filter((rule) => rule.public === true && rule.paths === undefined);
    return [...granted, ...open.flatMap(({ read }) => read.map((each) => ({ rule: toRule(each), addresses: null })))];
  }
  const own = subject.kind === 'token' ? subject.reads : [];
  return [...own.map((rule) => ({ rule, addresses: null })), ...granted];
}

export function publicPathsOf(policy: Policy): PublicPaths[] {
  return policy.rules.flatMap(({ public: isPublic, paths, read }) =>
    isPublic === true && paths !== undefined ? read.map((each) => ({ rule: toRule(each), paths })) : [],
  );
}

/** Each thing that is named must hold; addresses are judged when somebody asks. */
function isMeant(policy: Policy, who: Who, subject: Subject | null): boolean {
  const names = [who.user, who.domain, who.group, who.ci, who.token, who.signed_in].some((name) => name !== undefined);
  if (subject === null) return who.anonymous === true;
  if (!names) return false;
  const has = <T>(wanted: readonly T[] | undefined, holds: (value: T) => boolean): boolean =>
    wanted === undefined || wanted.some(holds);
  const person = subject.kind === 'user' ? subject : null;
  return (
    has(who.user, (name) => person !== null && isUser(person, name)) &&
    has(who.domain, (domain) => person?.email?.split('@').at(-1) === domain) &&
    has(who.group, (group) => person !== null && isMember(policy, person, group)) &&
    has(who.ci, (wanted) => subject.kind === 'ci' && matchesClaims(wanted, subject.claims)) &&
    has(who.token, (name) => subject.kind === 'token' && matchesWildcard(name, subject.name)) &&
    (who.signed_in === undefined || person !== null)
  );
}

type Person = Extract<Subject, { kind: 'user' }>;

function isUser({ user, email }: Person, name: string): boolean {
  return name === user || (email !== null && name.toLowerCase() === email);
}

function isMember(policy: Policy, person: Person, group: string): boolean {
  const own = Object.hasOwn(policy.groups, group) ? (policy.groups[group] ?? []) : [];
  return person.groups.includes(group) || own.some((name) => isUser(person, name));
}

function matchesClaims(wanted: NonNullable<Who['ci']>[number], claims: CiClaims): boolean {
  const is = (pattern: string | undefined, value: string | null): boolean =>
    pattern === undefined || (value !== null && matchesWildcard(pattern, value));
  return (
    is(wanted.organization, claims.organization) &&
    is(wanted.organization_id, claims.organizationId) &&
    is(wanted.pipeline, claims.pipeline) &&
    is(wanted.pipeline_id, claims.pipelineId)
  );
}
