/** Whether a portal does what the mirror needs of it: asked of the portal itself, with one request. */
import { toMirrorError } from '../errors.ts';
import { bulkDocument, documentMark, parsePage } from './bulk-query.ts';
import type { Graphql } from './graphql.ts';

export interface PortalCheckOptions {
  /** In the mode `portal`. */
  readonly portal: Graphql;
  /** A build with artifacts, when one is known: then its links are looked at. */
  readonly build?: string;
  readonly signal: AbortSignal;
}

export interface PortalCheck {
  readonly name: string;
  readonly ok: boolean;
  /** For people; without addresses and tokens. */
  readonly detail: string;
}

const nobody = '00000000-0000-0000-0000-000000000000';

export async function checkPortal({ portal, build, signal }: PortalCheckOptions): Promise<{
  readonly ok: boolean;
  readonly checks: readonly PortalCheck[];
}> {
  const checks: PortalCheck[] = [];
  const check = (name: string, ok: boolean, detail: string): void => {
    checks.push({ name, ok, detail });
  };
  const sizes = { jobs: 5, artifacts: 50 };
  try {
    const variables = { build: build ?? nobody, ...sizes };
    const { data, error } = await portal.ask({
      document: bulkDocument,
      variables,
      points: 0,
      workClass: 'person',
      signal,
    });
    check('answer', true, 'the portal answers and accepts its token');
    const isOurs = data[documentMark] !== undefined;
    check('document', isOurs, isOurs ? 'the stored document is the one of this version' : 'another document is stored');
    if (error !== null) check('errors', false, error);
    if (build !== undefined && isOurs) checkLinks(parsePage(data), check);
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const { message, details } = toMirrorError(thrown);
    const reason = details['reason'] ?? details['status'];
    check(checks.length === 0 ? 'answer' : 'links', false, reason === undefined ? message : `${message} (${reason})`);
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}

function checkLinks(
  page: ReturnType<typeof parsePage>,
  check: (name: string, ok: boolean, detail: string) => void,
): void {
  if (page === null) {
    check('build', false, 'the portal finds no such build');
    return;
  }
  const links = page.jobs.flatMap((job) => job.links);
  const usable = links.filter(({ url }) => url !== null).length;
  const jobs = `${page.jobs.length} jobs`;
  check('build', true, `the portal finds the build, ${jobs} on the page`);
  check('links', usable === links.length, `${usable} of ${links.length} artifacts have a link`);
}
