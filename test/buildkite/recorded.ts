/**
 * Recorded and documented data of Buildkite's, which the developers keep beside the project: its sources and licences
 * are not ours to publish. A public clone has none of it, and says so.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', '..', 'shared', 'fixtures', 'buildkite');

/** Given to a test as its `skip`: false, or why there is nothing to read. */
export const recordedSkip: string | false = existsSync(folder)
  ? false
  : 'the recorded data is not in a public clone (../shared/fixtures/buildkite)';

/** The names of a kind (`webhooks`, `webhook_docs`, `rest_docs`, `rest_recorded`, …) that match; none in a public clone. */
export function recordedNames(kind: string, pattern = /./): string[] {
  if (recordedSkip !== false) return [];
  return readdirSync(join(folder, kind))
    .filter((name) => name.endsWith('.json') && pattern.test(name))
    .map((name) => `${kind}/${name}`);
}

/** @param name as recordedNames has it */
export function readRecorded<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
}
