/** Buildkite's list of builds for a generated tree, without limits. Each item is as large as a recorded one. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildsPerPage } from '../src/buildkite/build-list.ts';
import {
  branchOf,
  commitOf,
  createdAt,
  finishedAt,
  iso,
  newestAt,
  oldestFinishing,
  organization,
  pipeline,
  uuidOf,
} from './scale-builds.ts';

export interface ListServer {
  /** Without `/v2`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** @param builds their count */
export async function serveBuilds(builds: number): Promise<ListServer> {
  const server = createServer(({ url = '/' }, response) => {
    const { searchParams } = new URL(url, 'http://127.0.0.1');
    const until = searchParams.get('created_to');
    const from = searchParams.get('finished_from');
    const skipped = (Number(searchParams.get('page') ?? 1) - 1) * buildsPerPage;
    const newest = (until === null ? builds : Math.min(builds, newestAt(Date.parse(until)))) - skipped;
    const oldest = from === null ? 1 : oldestFinishing(Date.parse(from));
    const end = Math.max(oldest, newest - buildsPerPage + 1);
    const items: string[] = [];
    for (let number = newest; number >= end; number -= 1) items.push(itemOf(number));
    response.setHeader('content-type', 'application/json');
    if (end > oldest) response.setHeader('link', '<http://127.0.0.1/v2/next>; rel="next"');
    response.end(`[${items.join(',')}]`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function itemOf(number: number): string {
  const id = uuidOf('build', number);
  const created = iso(createdAt(number));
  const commit = commitOf(number);
  return JSON.stringify({
    id,
    graphql_id: Buffer.from(`Build---${id}`).toString('base64'),
    url: `https://api.buildkite.com/v2/organizations/${organization}/pipelines/${pipeline}/builds/${number}`,
    web_url: `https://buildkite.com/${organization}/${pipeline}/builds/${number}`,
    number,
    state: 'passed',
    blocked: false,
    blocked_state: '',
    message: `Merge pull request #${number} from ${organization}/change\n\nA change like many others before it`,
    commit,
    branch: branchOf(number),
    tag: null,
    env: {},
    source: 'webhook',
    author: null,
    creator: {
      id: uuidOf('build', 0),
      graphql_id: Buffer.from(`User---${id}`).toString('base64'),
      name: 'Mira Okafor',
      email: 'mira@bench.example',
      avatar_url: 'https://www.gravatar.com/avatar/00000000000000000000000000000000',
      created_at: created,
    },
    created_at: created,
    scheduled_at: created,
    started_at: created,
    finished_at: iso(finishedAt(number)),
    meta_data: {
      'buildkite:git:commit': `commit ${commit}\nabbrev-commit ${commit.slice(0, 7)}\nAuthor: Mira Okafor\n\n    A change`,
    },
    pull_request: null,
    rebuilt_from: null,
  });
}
