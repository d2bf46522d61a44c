/**
 * What the API token is: its scopes, and when it ends. Needs no scope itself.
 * @see https://buildkite.com/docs/apis/rest-api/access-token
 */
import { z } from 'zod';
import { dateOf, parse, readBody } from './client.ts';
import type { Rest } from './rest.ts';
import { Instant } from './schema.ts';

const AccessToken = z.object({ scopes: z.array(z.string()), expires_at: Instant });
export type AccessToken = z.infer<typeof AccessToken> & {
  /** Upstream's clock when it answered, ms since 1970. */
  readonly at: number;
};

/** Without these the mirror cannot do its work. */
export const neededScopes = ['read_builds', 'read_artifacts', 'read_build_logs', 'read_pipelines'] as const;

export async function readAccessToken(rest: Rest, signal: AbortSignal): Promise<AccessToken> {
  const answer = await rest({ path: '/access-token', purpose: 'token', signal });
  const token = parse(await readBody(answer, 'token'), AccessToken, 'token');
  return { ...token, at: dateOf(answer.headers['date']) };
}
