/** The retention policies that the workers of a data folder go by now, as each tells. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { PolicyWords } from '../config/retention.ts';
import { isAbsent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { bePresent, presentFiles } from './present.ts';

/** run/workers/<uuid> */
const Told = z.object({ pid: z.int(), policy: z.record(z.string(), z.string()) });

export interface PolicyTeller {
  tell(policy: PolicyWords): Promise<void>;
  leave(): void;
}

export function tellPolicies({ workers }: Pick<DataPaths, 'workers'>): PolicyTeller {
  const { file, leave } = bePresent(workers);
  return {
    tell: (policy) => writeAtomic(file, `${JSON.stringify({ pid: process.pid, policy })}\n`, { durable: false }),
    leave,
  };
}

/** Of those that run. */
export function policiesInForce({ workers }: Pick<DataPaths, 'workers'>): z.infer<typeof Told>[] {
  const told: z.infer<typeof Told>[] = [];
  for (const file of presentFiles(workers)) {
    try {
      told.push(Told.parse(JSON.parse(readFileSync(file, 'utf8'))));
    } catch (thrown) {
      // It is about to tell.
      if (!isAbsent(thrown)) throw thrown;
    }
  }
  return told;
}
