/** The tests that a policy brings along: who reads what, and who does not. */
import { type Label, labelOf } from '../tree/labels.ts';
import { canRead } from './decide.ts';
import type { Policy, PolicyTest, TestedBuild } from './policy.ts';
import { type CiClaims, grantsFor, type Subject } from './subjects.ts';

export interface TestOutcome {
  readonly test: string;
  readonly build: string;
  readonly expected: 'reads' | 'refused';
  readonly found: 'reads' | 'refused';
}

export function runPolicyTests(policy: Policy): TestOutcome[] {
  return policy.tests.flatMap((test, index) => {
    const outcome = (expected: TestOutcome['expected']) => (build: TestedBuild) => ({
      test: test.name ?? `tests[${index}]`,
      build: typeof build === 'string' ? build : JSON.stringify(build),
      expected,
      found: isAllowed(policy, test.as, build) ? ('reads' as const) : ('refused' as const),
    });
    return [...(test.reads ?? []).map(outcome('reads')), ...(test.refused ?? []).map(outcome('refused'))];
  });
}

export function isAllowed(policy: Policy, as: PolicyTest['as'], build: TestedBuild): boolean {
  const subject = subjectOf(as);
  const everyone = grantsFor(policy, null);
  const grants = subject === null ? everyone : [...grantsFor(policy, subject), ...everyone];
  return canRead({ grants, address: as.address ?? '' }, labelOfTested(build));
}

function subjectOf({ user, email, groups, ci, token }: PolicyTest['as']): Subject | null {
  const base = { id: 'test', issuer: 'test' };
  if (ci !== undefined) {
    const claims: CiClaims = {
      organization: ci.organization ?? '',
      organizationId: ci.organization_id ?? null,
      pipeline: ci.pipeline ?? '',
      pipelineId: ci.pipeline_id ?? null,
    };
    return { ...base, kind: 'ci', claims };
  }
  if (token !== undefined) return { ...base, kind: 'token', name: token, reads: [] };
  if (user === undefined && email === undefined && groups === undefined) return null;
  return { ...base, kind: 'user', user: user ?? '', email: email?.toLowerCase() ?? null, groups: groups ?? [] };
}

/** `acme/web` is some branch that no rule names; `acme/web@main` is that branch. */
function labelOfTested(build: TestedBuild): Label {
  if (typeof build === 'string') {
    const [name = '', ...branch] = build.split('@');
    return label(name, { pipelineId: '', branch: branch.join('@'), fork: false });
  }
  const { pipeline, pipeline_id: pipelineId = '', branch = '', fork = false } = build;
  return label(pipeline, { pipelineId, branch, fork });
}

function label(name: string, facts: Parameters<typeof labelOf>[1]): Label {
  const [organization = '', folder = ''] = name.split('/');
  return labelOf({ organization, folder }, facts);
}
