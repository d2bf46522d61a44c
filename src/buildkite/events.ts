/**
 * What a verified delivery means to the mirror: a hint where to look, a ping, or nothing. Of a body only the hint is
 * kept: bodies hold secrets (`pipeline.env`, `provider.webhook_url`, e-mail addresses).
 * Unknown fields, unknown events, nulls and both of Buildkite's date formats pass.
 */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { type Hint, Slug, Uuid } from '../model.ts';
import { parseInstant } from './schema.ts';

export type DeliveredEvent =
  | { readonly kind: 'hint'; readonly hint: Hint }
  | { readonly kind: 'ping' }
  | { readonly kind: 'ignored'; readonly event: string };

const Envelope = z.object({ event: z.string(), build: z.unknown().optional() });
const BuildAddress = z.object({ url: z.string() });
const FinishedBuild = z.object({
  build: z.object({ id: Uuid, number: z.number().nullish(), finished_at: z.unknown().optional() }),
});
const FinishedJob = FinishedBuild.extend({ job: z.object({ id: Uuid, finished_at: z.unknown().optional() }) });

/** What a field must be, for the one who reads the refusal. */
const expectations: Readonly<Record<string, string>> = {
  event: 'the name of an event',
  'build.id': 'a uuid',
  'build.url': '…/v2/organizations/<slug>/pipelines/<slug>/builds/<number>',
  'build.number': 'the number that build.url ends with',
  job: 'an object',
  'job.id': 'a uuid',
};

/**
 * @param organization ours; events of another are ignored. It is read from `build.url`, the only place that names it.
 * @param now ms since 1970, noted in the hint
 * @throws MirrorError ERR_DELIVERY_MALFORMED naming the field, for an event of ours that does not say where to look
 */
export function parseEvent(body: unknown, organization: string, now: number): DeliveredEvent {
  const { event, build } = parsed(Envelope, body);
  if (event === 'ping') return { kind: 'ping' };
  if (event !== 'build.finished' && event !== 'job.finished') return { kind: 'ignored', event };

  const address = parseBuildUrl(BuildAddress.safeParse(build).data?.url);
  if (address === null) throw malformed('build.url');
  // Slugs are Buildkite's, in lower case; the setting is a person's.
  if (address.organization.toLowerCase() !== organization.toLowerCase()) return { kind: 'ignored', event };
  const { pipeline, number } = address;
  const place = { event, organization, pipeline, number, heardAt: now } as const;

  if (event === 'build.finished') {
    const said = parsed(FinishedBuild, body);
    checkNumber(said.build.number, number);
    const hint = { ...place, build: said.build.id, job: null, finishedAt: milliseconds(said.build.finished_at) };
    return { kind: 'hint', hint };
  }
  // Every kind of job counts, also those without artifacts: that one ended says that the build has moved on.
  const said = parsed(FinishedJob, body);
  checkNumber(said.build.number, number);
  const hint = { ...place, build: said.build.id, job: said.job.id, finishedAt: milliseconds(said.job.finished_at) };
  return { kind: 'hint', hint };
}

const buildUrl = /^https?:\/\/[^/?#]+\/v2\/organizations\/([^/]+)\/pipelines\/([^/]+)\/builds\/([1-9]\d{0,14})$/;

/** The address in a build's API URL. Its host is not looked at and never asked: the body names it, not we. */
function parseBuildUrl(url: string | undefined): { organization: string; pipeline: string; number: number } | null {
  const [, organization = '', pipeline = '', number] = buildUrl.exec(url ?? '') ?? [];
  if (!Slug.safeParse(organization).success || !Slug.safeParse(pipeline).success) return null;
  return { organization, pipeline, number: Number(number) };
}

function checkNumber(said: number | null | undefined, number: number): void {
  if ((said ?? number) !== number) throw malformed('build.number');
}

/** A date that is none is no reason to turn a hint away. */
function milliseconds(finishedAt: unknown): number | null {
  const instant = typeof finishedAt === 'string' ? parseInstant(finishedAt) : null;
  return instant === null ? null : Date.parse(instant);
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw malformed(result.error.issues[0]?.path.join('.') || 'event');
  return result.data;
}

function malformed(field: string): MirrorError {
  const expected = expectations[field] ?? 'of the kind that this event has';
  return new MirrorError('ERR_DELIVERY_MALFORMED', `${field} is missing or is not ${expected}`, { field });
}
