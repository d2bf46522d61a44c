/** The policy as a file: read whole, checked, and held to its own tests before it is in force. */
import { createHash } from 'node:crypto';
import { MirrorError } from '../errors.ts';
import { readIfPresent } from '../tree/files.ts';
import { type Policy, parsePolicy } from './policy.ts';
import { runPolicyTests, type TestOutcome } from './policy-tests.ts';

/** @throws MirrorError ERR_CONFIG for a file that is not there or no policy */
export async function readPolicy(file: string): Promise<Policy> {
  return parsePolicy(await textOf(file), file);
}

async function textOf(file: string): Promise<string> {
  const text = await readIfPresent(file);
  if (text === null) throw new MirrorError('ERR_CONFIG', `there is no policy at ${file}`);
  return text;
}

export interface LoadedPolicy {
  readonly policy: Policy;
  /** Of the file: which one it was. */
  readonly sha256: string;
}

/** @throws MirrorError ERR_CONFIG also for one that does not do what its own tests say */
export async function loadPolicy(file: string): Promise<LoadedPolicy> {
  const text = await textOf(file);
  const policy = parsePolicy(text, file);
  const failed = runPolicyTests(policy).filter(({ expected, found }) => expected !== found);
  if (failed.length === 0) return { policy, sha256: createHash('sha256').update(text).digest('hex') };
  const list = failed.map((outcome) => `  - ${describeOutcome(outcome)}`).join('\n');
  throw new MirrorError('ERR_CONFIG', `the policy ${file} does not do what its tests say:\n${list}`);
}

export function describeOutcome({ test, build, expected, found }: TestOutcome): string {
  if (expected === found) return `${test}: ${build} ${found === 'reads' ? 'is read' : 'is refused'}`;
  return expected === 'reads'
    ? `${test}: ${build} is refused, and should be read`
    : `${test}: ${build} is read, and should be refused`;
}
