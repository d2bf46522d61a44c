/** Whether deliveries should be sent here: the journal can be written, and Redis has not been away for long and keeps what it is given. */
import { toMirrorError } from '../errors.ts';
import type { Readiness } from '../metrics/serve.ts';
import type { Journal } from '../tree/journal.ts';
import type { Eviction } from './eviction.ts';
import type { Pump } from './pump.ts';

/** Deliveries are accepted without Redis all the same; an operator should know by then. */
const awayMs = 30_000;

export async function readReadiness(
  journal: Pick<Journal, 'check'>,
  pump: Pick<Pump, 'trouble'>,
  { fault }: Pick<Eviction, 'fault'>,
  now: number,
): Promise<Readiness> {
  const written = await journal.check().then(
    () => 'ok',
    (thrown: unknown) => toMirrorError(thrown).message,
  );
  const { trouble } = pump;
  const awayForMs = trouble === null ? 0 : now - trouble.since;
  const reason = trouble?.error?.message ?? 'Redis has not been reached yet';
  return {
    ready: written === 'ok' && fault === null && awayForMs <= awayMs,
    checks: {
      journal: written,
      queue: fault ?? (trouble === null ? 'ok' : `${reason}, for ${Math.round(awayForMs / 1000)} s`),
    },
  };
}
