/** The builds of generated trees, by their numbers from 1: one every ten seconds, each of one job. */
import type { BuildFacts, JobFacts } from '../src/model.ts';

export const organization = 'bench';
export const pipeline = 'scale';

const first = Date.UTC(2026, 0, 1);
const everyMs = 10_000;
const lastsMs = 5000;
const kinds = { build: '0', job: '1', artifact: '2', pipeline: '3' } as const;

export function uuidOf(kind: keyof typeof kinds, number: number): string {
  return `019b0000-000${kinds[kind]}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** ms since 1970 */
export function createdAt(number: number): number {
  return first + number * everyMs;
}

export function finishedAt(number: number): number {
  return createdAt(number) + lastsMs;
}

/** The greatest number that was created at or before this time; below 1: none. @param at ms since 1970 */
export function newestAt(at: number): number {
  return Math.floor((at - first) / everyMs);
}

/** The least number that finished at or after this time. */
export function oldestFinishing(at: number): number {
  return Math.max(1, Math.ceil((at - first - lastsMs) / everyMs));
}

export function branchOf(number: number): string {
  return number % 5 === 0 ? 'main' : `feature/${number % 1000}`;
}

export function commitOf(number: number): string {
  return number.toString(16).padStart(40, 'a');
}

export function buildFacts(number: number): BuildFacts {
  const [created, finished] = [iso(createdAt(number)), iso(finishedAt(number))];
  return {
    id: uuidOf('build', number),
    number,
    state: 'passed',
    blocked: false,
    branch: branchOf(number),
    tag: null,
    commit: commitOf(number),
    message: `Change ${number}`,
    author: 'Mira Okafor',
    source: 'webhook',
    web_url: `https://buildkite.com/${organization}/${pipeline}/builds/${number}`,
    created_at: created,
    scheduled_at: created,
    started_at: created,
    finished_at: finished,
    pull_request: null,
    rebuilt_from: null,
    pipeline: {
      id: uuidOf('pipeline', 1),
      slug: pipeline,
      name: 'Scale',
      repository: 'https://github.com/bench/scale.git',
      default_branch: 'main',
    },
  };
}

export function jobFacts(number: number): JobFacts {
  const [created, finished] = [iso(createdAt(number)), iso(finishedAt(number))];
  return {
    id: uuidOf('job', number),
    type: 'script',
    name: 'Test',
    step_key: 'test',
    group_key: null,
    state: 'passed',
    exit_status: 0,
    soft_failed: false,
    retried: false,
    retried_in_job_id: null,
    retries_count: null,
    parallel_group_index: null,
    parallel_group_total: null,
    matrix: null,
    agent: 'bench-1',
    web_url: null,
    created_at: created,
    started_at: created,
    finished_at: finished,
  };
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
