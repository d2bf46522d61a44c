/** Identity as the readers have it: the login and its like before the guard, the guard, and what leads to reports. */
import type { Express, RequestHandler } from 'express';
import { MirrorError } from '../errors.ts';
import { canRead } from '../identity/decide.ts';
import type { Log } from '../log.ts';
import type { BuildSummary } from '../model.ts';
import { labelFacts, labelOf } from '../tree/labels.ts';
import type { DataPaths } from '../tree/paths.ts';
import { followAssertions } from './assertions.ts';
import { authRouter } from './auth.ts';
import type { AuthIdentity } from './auth-parts.ts';
import { contentEntry } from './content-entry.ts';
import { guard } from './guard.ts';
import { refusalRecord } from './refusals.ts';

export interface ReaderIdentity extends AuthIdentity {
  /** `https://*.example.com`; null: there is no content origin. */
  readonly contentUrl: string | null;
  /** In which a proxy in front vouches for its user; null: there is none. */
  readonly assertionHeader: string | null;
}

interface Parts {
  readonly paths: DataPaths;
  readonly organization: string;
  /** KITEMIRROR_URL. */
  readonly url: string;
  readonly log: Log;
}

/** @param identity null: identity is off, and everybody reads everything */
export function useIdentity(app: Express, parts: Parts, identity: ReaderIdentity | null): void {
  app.use(ownOriginOnly(parts.url));
  if (identity === null) {
    app.use(guard({ ...parts, identity }));
    return;
  }
  const { paths, organization, url, log } = parts;
  const entry = contentEntry({ paths, organization, contentUrl: identity.contentUrl, identity });
  const refusals = refusalRecord(paths, log);
  app.use(authRouter({ paths, organization, origin: new URL(url).origin, identity, refusals }), entry.enter);
  app.use(followAssertions(identity, identity.assertionHeader, log));
  app.use(guard({ ...parts, identity }), entry.leave);
}

/** Whether everybody may read a build, wherever they are: as the gate judges who shows nothing. */
export function isOpenToAll({ keeper }: Pick<ReaderIdentity, 'keeper'>, build: BuildSummary, folder: string): boolean {
  const label = labelOf({ organization: build.organization, folder }, labelFacts(build));
  return canRead({ grants: keeper.table().everyone, address: '' }, label);
}

/** Whoever posts from a browser tells from which site; who shows a cookie must. The gate asks the same. */
function ownOriginOnly(url: string): RequestHandler {
  const { protocol, host } = new URL(url);
  return (request, _response, next) => {
    const from = request.get('origin');
    const own = [host, request.get('host')].map((each) => `${protocol}//${each}`);
    const isOwn = from === undefined ? request.get('cookie') === undefined : own.includes(from);
    if (request.method === 'POST' && !isOwn)
      throw new MirrorError('ERR_ORIGIN_REFUSED', 'this was sent from a page of another site');
    next();
  };
}
