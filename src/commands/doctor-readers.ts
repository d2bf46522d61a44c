/** What the doctor says of who may read, and of who may deliver. */
import { describeExposure, exposureOf } from '../config/exposure.ts';
import { asksNoRefresh } from '../config/identity.ts';
import { formatDuration } from '../durations.ts';
import { closedPolicy, namesGroups, type Policy } from '../identity/policy.ts';
import { loadPolicy } from '../identity/policy-file.ts';
import { grantsFor, publicPathsOf } from '../identity/subjects.ts';
import { readSenders } from '../tree/webhook-senders.ts';
import type { Check, Finding } from './finding.ts';
import { openPaths } from './parts.ts';

type Found = Omit<Finding, 'check'>;

export const checkReaders: Check = async (context) => {
  const { config } = context.settings();
  const exposure = exposureOf(config);
  const found = describeExposure(exposure);
  const remedy = 'set KITEMIRROR_POLICY and KITEMIRROR_OIDC_…, or be sure that something in front asks for a login';
  if (exposure.isOpen)
    return [{ grade: exposure.beyond === null ? 'ok' : 'warn', found, remedy: exposure.beyond && remedy }];
  const policyFile = config.identity?.policyFile ?? null;
  const policy = policyFile === null ? closedPolicy : (await loadPolicy(policyFile)).policy;
  const freezes = asksNoRefresh(config.identity?.people ?? null) && namesGroups(policy);
  return [{ grade: 'ok', found, remedy: null }, openings(policy), ...(freezes ? [frozenGroups] : [])];
};

const frozenGroups: Found = {
  grade: 'warn',
  found: 'groups of who is signed in may stay those of the last login once an access token ends',
  remedy: 'add offline_access to KITEMIRROR_OIDC_SCOPES, if your provider gives refresh tokens for it',
};

/** What the policy opens to whoever comes. */
function openings(policy: Policy): Found {
  if (policy.rules.length === 0)
    return { grade: 'warn', found: 'the policy lets nobody read anything', remedy: 'write rules: docs/identity.md' };
  const forAll = grantsFor(policy, null).filter(({ addresses }) => addresses === null);
  if (forAll.some(({ rule }) => rule.pipeline === '*' && rule.branches === null))
    return {
      grade: 'warn',
      found: 'a rule of the policy opens every pipeline to everybody',
      remedy: 'narrow it, if it is not meant so',
    };
  const open = forAll.length + publicPathsOf(policy).length;
  const said =
    open === 0 ? 'nothing is open to who is not signed in' : `rules that hold for everybody, without a login: ${open}`;
  return { grade: 'ok', found: said, remedy: null };
}

/** The worker looks once a day; so long without a look means that it cannot. */
const staleMs = 3 * 86_400_000;

export const checkSenders: Check = async (context) => {
  const { webhooks } = context.settings().config.reach;
  if (webhooks === null)
    return [{ grade: 'ok', found: 'deliveries are taken from everywhere, by their proof', remedy: null }];
  if (!webhooks.published)
    return [{ grade: 'ok', found: `deliveries are taken from ${webhooks.ranges.join(', ')}`, remedy: null }];
  const known = await readSenders(openPaths(context));
  const remedy = 'a worker reads them with its comparison: does one run, and can it reach BUILDKITE_API_URL?';
  if (known === null)
    return [
      { grade: 'warn', found: 'Buildkite’s addresses are not known yet: deliveries are taken from everywhere', remedy },
    ];
  const ageMs = Date.now() - known.readAt;
  const found = `deliveries are taken from ${[...webhooks.ranges, ...known.ranges].join(', ')}; Buildkite’s were read ${formatDuration(ageMs)} ago`;
  return [ageMs > staleMs ? { grade: 'warn', found, remedy } : { grade: 'ok', found, remedy: null }];
};
