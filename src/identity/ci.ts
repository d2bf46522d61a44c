/**
 * Jobs of Buildkite, by the token that their agent was given for us. Its issuer signs for all of Buildkite's customers, so
 * audience and organization are looked at before anything else is.
 * @see https://buildkite.com/docs/agent/cli/reference/oidc
 */
import { type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import type { CiSettings } from '../config/identity.ts';
import { issuerKeys } from './issuer-keys.ts';
import { type SubjectCard, subjectId } from './state.ts';

const Claims = z.object({
  organization_slug: z.string().min(1),
  pipeline_slug: z.string().min(1),
  organization_id: z.string().optional(),
  pipeline_id: z.string().optional(),
});

export interface VerifiedJob {
  readonly subject: SubjectCard;
  readonly claims: JWTPayload;
}

/** Asked for with `--lifetime`; Buildkite's own limit is two hours. */
const longestLifetime = 2 * 3600;

/**
 * @param audience KITEMIRROR_URL
 * @throws whatever does not hold, by a message for our log alone; MirrorError ERR_IDENTITY_UNAVAILABLE where the issuer's
 *   keys cannot be had
 */
export function ciVerifier(settings: CiSettings, audience: string, organization: string) {
  const keys = issuerKeys(settings.jwksUrl);
  return async (token: string, nowSeconds: number): Promise<VerifiedJob> => {
    const { payload } = await jwtVerify(token, keys, {
      issuer: settings.issuer,
      audience,
      algorithms: ['RS256'],
      clockTolerance: 30,
      requiredClaims: ['exp', 'iat'],
      currentDate: new Date(nowSeconds * 1000),
    });
    if (payload.aud !== audience) throw new Error('the audience is not this mirror alone');
    if ((payload.exp ?? 0) - (payload.iat ?? 0) > longestLifetime)
      throw new Error('it lives longer than Buildkite allows');
    const claims = Claims.parse(payload);
    if (claims.organization_slug !== organization) throw new Error('it is of another organization');
    const facts = {
      organization: claims.organization_slug,
      organizationId: claims.organization_id ?? null,
      pipeline: claims.pipeline_slug,
      pipelineId: claims.pipeline_id ?? null,
    };
    const id = subjectId(settings.issuer, ...Object.values(facts).map((value) => value ?? ''));
    return { subject: { id, kind: 'ci', issuer: settings.issuer, seen: nowSeconds, claims: facts }, claims: payload };
  };
}
