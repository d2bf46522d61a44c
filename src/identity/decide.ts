/**
 * The one decision: may this caller read that build? The gate makes the same one for every request by
 * lighttpd/decide.lua; test/identity holds the two together.
 */

import { isWithin } from '../addresses.ts';
import type { Label } from '../tree/labels.ts';
import { matchesWildcard } from './wildcard.ts';

/** What one line of the policy opens. Either `pipeline` (a slug's pattern) or `pipelineId` is set. */
export interface Rule {
  readonly organization: string;
  readonly pipeline: string | null;
  readonly pipelineId: string | null;
  /** Patterns; null: every branch, and builds of forks too. */
  readonly branches: readonly string[] | null;
}

/** A rule that holds for somebody; `addresses`: from these ranges only. */
export interface Grant {
  readonly rule: Rule;
  readonly addresses: readonly string[] | null;
}

/** What everybody may read, as far as it is narrowed to paths below the build's folder. */
export interface PublicPaths {
  readonly rule: Rule;
  readonly paths: readonly string[];
}

/** Who asks, as the decision sees it: the grants of theirs and everybody's, and where they ask from. */
export interface Access {
  readonly grants: readonly Grant[];
  readonly address: string;
}

export function ruleMatches(rule: Rule, label: Label): boolean {
  if (rule.pipelineId !== null) {
    if (rule.pipelineId !== label.pipelineId) return false;
  } else if (!namesPipeline(rule, label.organization, label.pipeline)) return false;
  const { branch } = label;
  if (rule.branches === null) return true;
  return branch !== null && rule.branches.some((pattern) => matchesWildcard(pattern, branch));
}

export function canRead({ grants, address }: Access, label: Label | null): boolean {
  if (label === null) return false;
  return grants.some((grant) => applies(grant, address) && ruleMatches(grant.rule, label));
}

/** One public file of a build whose other files are not. @param path below the build's folder */
export function isPublicPath(publics: readonly PublicPaths[], label: Label | null, path: string): boolean {
  if (label === null) return false;
  return publics.some(
    ({ rule, paths }) => ruleMatches(rule, label) && paths.some((pattern) => matchesWildcard(pattern, path)),
  );
}

/** Whether some rule speaks of this pipeline by name: then its name, and where it has gone, are no secret. */
export function knowsPipeline({ grants, address }: Access, organization: string, pipeline: string): boolean {
  return grants.some((grant) => applies(grant, address) && namesPipeline(grant.rule, organization, pipeline));
}

/** The rules that hold for this caller now. */
export function rulesOf({ grants, address }: Access): Rule[] {
  return grants.filter((grant) => applies(grant, address)).map(({ rule }) => rule);
}

function namesPipeline(rule: Rule, organization: string, pipeline: string): boolean {
  return (
    rule.pipeline !== null &&
    matchesWildcard(rule.organization, organization) &&
    matchesWildcard(rule.pipeline, pipeline)
  );
}

function applies({ addresses }: Grant, address: string): boolean {
  return addresses === null || isWithin(addresses, address);
}
