/** Hints of builds that never were. */
import { randomUUID } from 'node:crypto';
import type { Hint } from '../../src/model.ts';

export function hintOf(facts: Partial<Hint> = {}): Hint {
  return {
    event: 'build.finished',
    organization: 'acme',
    pipeline: 'web',
    number: 1,
    build: randomUUID(),
    job: null,
    finishedAt: null,
    heardAt: Date.now(),
    ...facts,
  };
}
