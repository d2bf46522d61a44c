/** CI jobs come in by the token of their agent. */
import type { Request, Response } from 'express';
import { seal } from '../identity/seals.ts';
import { newId } from '../identity/state.ts';
import { type AuthParts, note, refuse } from './auth-parts.ts';
import { nowSeconds } from './session.ts';

const bearerSeconds = 3600;

/** A job's agent token → a token of ours of at most an hour. */
export async function exchange(parts: AuthParts, request: Request, response: Response): Promise<void> {
  const { verifyJob, keeper } = parts.identity;
  const [, token = ''] = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.get('authorization') ?? '') ?? [];
  const issued = nowSeconds();
  const { subject, claims } = await verifyJob(token, issued).catch((thrown: unknown) =>
    refuse(parts, request, 'exchange', thrown),
  );
  await keeper.admit(subject);
  const facts = { id: newId(), subject: subject.id, issued, expires: issued + bearerSeconds };
  const who = `${String(claims['organization_slug'])}/${String(claims['pipeline_slug'])}`;
  await note(parts, request, {
    action: 'exchange',
    who,
    issuer: subject.issuer,
    id: facts.id,
    claims,
    reason: 'exchanged',
  });
  response.json({
    token: seal(keeper.key(), 'bearer', facts),
    token_type: 'Bearer',
    expires_at: new Date(facts.expires * 1000).toISOString(),
  });
}
