/**
 * The policy: one file, YAML or JSON, that says who may read which builds. Only what it allows is allowed.
 * The format is told in docs/identity.md.
 */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { parseRange } from '../addresses.ts';
import { MirrorError } from '../errors.ts';

const text = z
  .string()
  .min(1)
  .max(255)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'holds a control character');
const many = <T extends z.ZodType>(one: T) =>
  z.union([one, z.array(one).min(1)]).transform((value): z.output<T>[] => [value].flat() as z.output<T>[]);
const uuid = z.uuid().transform((value) => value.toLowerCase());
const target = text.refine((value) => /^[^/@\s]+\/[^/@\s]+$/.test(value), 'is not <organization>/<pipeline>');
const range = text.superRefine((value, context) => {
  try {
    parseRange(value);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: thrown instanceof Error ? thrown.message : String(thrown) });
  }
});

/** `acme/web`, `acme/*`, `acme/web@main` (a branch), or an object where a branch needs room. */
const Read = z
  .union([
    text.transform((value, context) => {
      const cut = value.indexOf('@');
      const pipeline = target.safeParse(cut === -1 ? value : value.slice(0, cut));
      const branch = cut === -1 ? null : value.slice(cut + 1);
      if (!pipeline.success || branch === '') {
        context.addIssue({ code: 'custom', message: `"${value}" is not <organization>/<pipeline> or …@<branch>` });
        return z.NEVER;
      }
      return { pipeline: pipeline.data, branches: branch === null ? undefined : [branch] };
    }),
    z.strictObject({ pipeline: target, branches: many(text).optional() }),
    z.strictObject({ pipeline_id: uuid, branches: many(text).optional() }),
  ])
  .transform((read) => ({
    pipeline: 'pipeline' in read ? read.pipeline : null,
    pipelineId: 'pipeline_id' in read ? read.pipeline_id : null,
    branches: read.branches ?? null,
  }));
export type Read = z.output<typeof Read>;

const Ci = z.strictObject({
  organization: text.optional(),
  organization_id: uuid.optional(),
  pipeline: text.optional(),
  pipeline_id: uuid.optional(),
});

/** Nobody is of two of these kinds at once. */
const kindsOfCaller = [['user', 'domain', 'group', 'signed_in'], ['ci'], ['token'], ['anonymous']] as const;

/** All that is named must hold at once. What can never hold is no rule but a mistake in one. */
const Who = z
  .strictObject({
    user: many(text).optional(),
    domain: many(text.transform((value) => value.replace(/^@/, '').toLowerCase())).optional(),
    group: many(text).optional(),
    ci: many(Ci).optional(),
    token: many(text).optional(),
    address: many(range).optional(),
    anonymous: z.literal(true).optional(),
    signed_in: z.literal(true).optional(),
  })
  .superRefine((who, context) => {
    const named = kindsOfCaller.flatMap((kind) => kind.find((name) => who[name] !== undefined) ?? []);
    const fault = (message: string): void => context.addIssue({ code: 'custom', message });
    if (named.length === 0 && who.address === undefined) fault('names nobody');
    if (named.length === 0 && who.address !== undefined)
      fault('names nobody by "address" alone: add "anonymous: true" for whoever comes from there, or who it is');
    if (named.length > 1)
      fault(
        `asks for ${named.map((name) => `"${name}"`).join(' and ')} at once, which nobody is: make it a list of two`,
      );
  });
export type Who = z.output<typeof Who>;

const Rule = z
  .strictObject({
    name: text.optional(),
    who: many(Who).optional(),
    public: z.literal(true).optional(),
    read: many(Read),
    paths: many(text).optional(),
  })
  .superRefine((rule, context) => {
    const fault = (message: string): void => context.addIssue({ code: 'custom', message });
    if (rule.public === undefined && rule.who === undefined) fault('needs "who", or "public: true" for everyone');
    if (rule.public === true && rule.who !== undefined) fault('is public, so "who" says nothing: keep one of them');
    if (rule.public === undefined && rule.paths !== undefined)
      fault('narrows by path: only a rule with "public: true" may');
  });

const Caller = z.strictObject({
  user: text.optional(),
  email: text.optional(),
  groups: many(text).optional(),
  ci: Ci.optional(),
  token: text.optional(),
  address: text.optional(),
});
const Build = z.union([
  text,
  z.strictObject({
    pipeline: target,
    pipeline_id: uuid.optional(),
    branch: text.optional(),
    fork: z.boolean().optional(),
  }),
]);
const Test = z
  .strictObject({
    name: text.optional(),
    /** `{}` is somebody who is not signed in. */
    as: Caller,
    reads: many(Build).optional(),
    refused: many(Build).optional(),
  })
  .refine((test) => test.reads !== undefined || test.refused !== undefined, 'needs "reads" or "refused"');
export type PolicyTest = z.output<typeof Test>;
export type TestedBuild = z.output<typeof Build>;

const Policy = z.strictObject({
  version: z.literal(1),
  /** Groups of our own, beside those that the identity provider tells: name → users. */
  groups: z.record(text, many(text)).default({}),
  rules: z.array(Rule),
  tests: z.array(Test).default([]),
});
export type Policy = z.output<typeof Policy>;

/** Whether some rule goes by groups: then what the provider says of them must be asked for again. */
export function namesGroups({ rules }: Policy): boolean {
  return rules.some(({ who = [] }) => who.some(({ group }) => group !== undefined));
}

/** Nobody reads anything. */
export const closedPolicy: Policy = { version: 1, groups: {}, rules: [], tests: [] };

/**
 * @param source what the text is called in the message
 * @throws MirrorError ERR_CONFIG that names every fault and where it is
 */
export function parsePolicy(yaml: string, source: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, maxAliasCount: 0, uniqueKeys: true } as never);
  const faults = document.errors.map(({ message }) => message.split('\n')[0] ?? message);
  const parsed = faults.length > 0 ? null : Policy.safeParse(toValue(document, faults));
  for (const issue of parsed?.error?.issues ?? []) {
    const { path, message } = deepest(issue);
    faults.push(`${path === '' ? 'the file' : path}: ${message}`);
  }
  if (parsed?.success === true && faults.length === 0) return parsed.data;
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  throw new MirrorError('ERR_CONFIG', `${count} in the policy ${source}:\n${list}`);
}

function toValue(document: ReturnType<typeof parseDocument>, faults: string[]): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (thrown) {
    faults.push(thrown instanceof Error ? thrown.message : String(thrown));
    return null;
  }
}

/** Of a choice of shapes the fault that is nearest to what was written. */
function deepest(issue: z.core.$ZodIssue, above: PropertyKey[] = []): { path: string; message: string } {
  const path = [...above, ...issue.path];
  if (issue.code !== 'invalid_union') return { path: place(path), message: issue.message };
  const inner = issue.errors.flat().map((each) => deepest(each, path));
  const shape = (each: { message: string }): number => (/expected (string|array|object)/.test(each.message) ? 1 : 0);
  const [best] = inner.toSorted((left, right) => shape(left) - shape(right) || right.path.length - left.path.length);
  return best ?? { path: place(path), message: issue.message };
}

function place(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

/** A right by itself, as a named token is given it. @throws Error that says what is wrong */
export function parseRead(value: string): Read {
  const parsed = Read.safeParse(value);
  if (!parsed.success) throw new Error(deepest(parsed.error.issues[0] as z.core.$ZodIssue).message);
  return parsed.data;
}
