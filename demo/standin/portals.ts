/** Portals: GraphQL operations that an organization has stored, each with an address and a token of its own. */
import type { DocumentNode } from 'graphql';
import { parseDocument } from './graphql-schema.ts';
import type { PortalLimiter } from './limits.ts';

export interface Portal {
  /** The last part of its address. */
  readonly slug: string;
  /** Slug of its organization, `acme` unless told. */
  readonly organization?: string;
  /** `bkpat_…` */
  readonly token: string;
  readonly document: string;
  /** Whether it uses up the organization's complexity points too (not, unless told: Buildkite does not say). */
  readonly points?: boolean;
}

export interface StoredPortal extends Portal {
  readonly parsed: DocumentNode;
}

export interface Portals {
  readonly limiter: PortalLimiter;
  /** By path. */
  readonly known: Map<string, StoredPortal>;
}

export function portalPath({ organization = 'acme', slug }: Pick<Portal, 'organization' | 'slug'>): string {
  return `/organizations/${organization}/portals/${slug}`;
}

/** Adds it, or replaces the one with its address. @throws Error when the document does not fit the schema */
export function storePortal({ known }: Portals, portal: Portal): void {
  const parsed = parseDocument(portal.document);
  if (parsed instanceof Error) throw new Error(`the document of portal ${portal.slug}: ${parsed.message}`);
  known.set(portalPath(portal), { ...portal, parsed });
}
