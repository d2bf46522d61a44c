/** Deliveries as Buildkite sends them, signed with a secret of the tests' own. */
import { createHmac, randomUUID } from 'node:crypto';

export const organization = 'acme';
export const secret = 'a webhook token of 32 characters';

export interface BodyFacts {
  readonly event?: string;
  readonly build?: string;
  readonly number?: number;
  readonly organization?: string;
  /** Adds a job, as job events have it. */
  readonly job?: string;
}

export function bodyOf(facts: BodyFacts = {}): Record<string, unknown> {
  const {
    event = 'build.finished',
    build = randomUUID(),
    number = 42,
    organization: owner = organization,
    job,
  } = facts;
  const finishedAt = '2026-07-01T20:14:38.123Z';
  return {
    event,
    ...(job === undefined ? {} : { job: { id: job, type: 'script', state: 'passed', finished_at: finishedAt } }),
    build: {
      id: build,
      url: `https://api.buildkite.com/v2/organizations/${owner}/pipelines/web/builds/${number}`,
      number,
      state: 'passed',
      blocked: false,
      branch: 'main',
      finished_at: finishedAt,
    },
    pipeline: { slug: 'web', provider: { webhook_url: 'https://webhook.example/secret' } },
    sender: { id: '8a7693f8-dbae-4783-9137-84090fce9045', name: 'Some Person' },
  };
}

/** The header's value for a body. @param at seconds since 1970 */
export function signatureOf(body: string | Buffer, at = Math.floor(Date.now() / 1000), key = secret): string {
  return `timestamp=${at},signature=${createHmac('sha256', key).update(`${at}.`).update(body).digest('hex')}`;
}

export function headersOf(body: string | Buffer): Record<string, string> {
  return { 'Content-Type': 'application/json', 'X-Buildkite-Signature': signatureOf(body) };
}
