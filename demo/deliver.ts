/** Webhook deliveries as Buildkite makes them: body, signature and headers. */
import { createHmac } from 'node:crypto';
import { uuidFrom } from './standin/ids.ts';
import { buildJson, type DateFormat, type Json, pipelineJson, type View } from './standin/render.ts';
import { jobJson } from './standin/render-jobs.ts';
import type { SampleBuild, SampleJob } from './standin/sample.ts';

export interface BodyOptions {
  /** What `url` fields begin with. */
  readonly apiUrl?: string;
  readonly dates?: DateFormat;
}

/** Compact JSON. A build event's build has no jobs; a job event has its job; none has the organization. */
export function webhookBody(event: string, build: SampleBuild, job?: SampleJob | null, options?: BodyOptions): string {
  const view: View = {
    base: options?.apiUrl ?? 'https://api.buildkite.com',
    dates: options?.dates ?? 'iso',
    webhookUrl: true,
  };
  const body: Json = { event };
  if (job != null) body.job = webhookJob(job, build, view);
  body.build = buildJson(build, view);
  body.pipeline = pipelineJson(build.pipeline, build.organization, view);
  body.sender = { id: uuidFrom('sender', 1_700_000_000_000), name: 'Mira Okafor' };
  return JSON.stringify(body);
}

/** As in the REST API, but that who retried it is told inside `retry_source`. */
function webhookJob(job: SampleJob, build: SampleBuild, view: View): Json {
  const rendered = jobJson(job, build, view);
  if (job.type !== 'script' || job.retrySource === null) return rendered;
  const { jobId, retryType } = job.retrySource;
  const by = retryType === 'manual' && build.creator ? { name: build.creator.name, email: build.creator.email } : null;
  return { ...rendered, retry_source: { job_id: jobId, retry_type: retryType, retried_by: by } };
}

/** `timestamp=<seconds>,signature=<hex>`: HMAC-SHA256 over `<timestamp>.<body>`, keyed with the token's own characters. */
export function signatureOf(body: string, token: string, now: number): string {
  const timestamp = Math.floor(now / 1000);
  const signature = createHmac('sha256', token).update(`${timestamp}.${body}`).digest('hex');
  return `timestamp=${timestamp},signature=${signature}`;
}

/** @param now milliseconds since 1970, when it is sent */
export function signedHeaders(body: string, token: string, now: number = Date.now()): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'Buildkite-Request',
    Accept: '*/*',
    'X-Buildkite-Event': eventOf(body),
    'X-Buildkite-Request': uuidFrom(body, now),
    'X-Buildkite-Signature': signatureOf(body, token, now),
  };
}

function eventOf(body: string): string {
  const parsed: unknown = JSON.parse(body);
  const event = typeof parsed === 'object' && parsed !== null && 'event' in parsed ? parsed.event : undefined;
  return typeof event === 'string' ? event : '';
}

/** @returns the answer's status @throws TypeError (fetch's) where nobody answers */
export async function deliver(
  url: string,
  event: string,
  build: SampleBuild,
  job: SampleJob | null,
  token: string,
  options?: BodyOptions,
): Promise<number> {
  const body = webhookBody(event, build, job, options);
  const response = await fetch(url, { method: 'POST', headers: signedHeaders(body, token), body });
  // Read to its end, so that the connection can be used again.
  await response.arrayBuffer();
  return response.status;
}
