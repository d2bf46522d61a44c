import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { digestOf, readAll } from '../../demo/standin/bytes.ts';
import { defaultToken, graphqlToken } from '../../demo/standin/tokens.ts';
import { firstArtifact, firstJob, row, started, withJob } from './ask.ts';
import {
  type Asked,
  artifactsOf,
  askLinks,
  type Jobs,
  links,
  messageOf,
  post,
  query,
  withBuild,
} from './ask-graphql.ts';

describe('GraphQL in the stand-in', () => {
  it('resolves all artifacts of a build at once, with both sums and links that work', async (t) => {
    const [standIn, build] = await withBuild(t);
    const found = artifactsOf(await askLinks(standIn, build));
    assert.equal(found.length, 6);
    for (const artifact of found) {
      const sample = build.jobs
        .flatMap((job) => ('artifacts' in job ? job.artifacts : []))
        .find((each) => each.id === artifact?.uuid);
      assert.ok(sample && artifact);
      const { path, mimeType, state, content } = sample;
      const [sha1sum, sha256sum] = [digestOf(content, 'sha1'), digestOf(content, 'sha256')];
      const { downloadURL, ...rest } = artifact;
      assert.deepEqual(rest, { uuid: sample.id, path, size: 64, state, mimeType, sha1sum, sha256sum });
      const bytes = Buffer.from(await (await fetch(downloadURL ?? '')).arrayBuffer());
      assert.ok(bytes.equals(readAll(content)));
    }
    const seen = standIn.requests.find((request) => request.at === 'graphql');
    assert.deepEqual([seen?.points, seen?.variables?.build], [3 + 1 + 2 * 3 + 6, build.id]);
  });

  it('finds builds, jobs and artifacts by their names, and null where there is none', async (t) => {
    const [standIn, build] = await withBuild(t);
    const [job, artifact] = [firstJob(build), firstArtifact(build)];
    const text = `query Find($slug: ID, $job: ID!, $artifact: ID!) {
      build(slug: $slug) { uuid number state finishedAt }
      job(uuid: $job) { __typename ... on JobTypeCommand { uuid state passed step { key } } }
      artifact(uuid: $artifact) { path expiresAt job { uuid } }
      node(id: "${Buffer.from(`Build---${build.id}`).toString('base64')}") { ... on Build { uuid } }
      none: build(uuid: "x") { uuid }
      viewer { user { email } }
    }`;
    const slug = `acme/${build.pipeline.slug}/${build.number}`;
    const { reply } = await query(standIn, text, { slug, job: job.id, artifact: artifact.id });
    assert.deepEqual(reply.data, {
      build: { uuid: build.id, number: 1, state: 'PASSED', finishedAt: new Date(build.finishedAt ?? 0).toISOString() },
      job: { __typename: 'JobTypeCommand', uuid: job.id, state: 'FINISHED', passed: true, step: { key: 'step-0' } },
      artifact: { path: artifact.path, expiresAt: '2026-11-18T12:00:00.000Z', job: { uuid: job.id } },
      node: { uuid: build.id },
      none: null,
      viewer: { user: { email: graphqlToken.user } },
    });
  });

  it('pages jobs by cursor, and artifacts by first, path and state alone', async (t) => {
    const [standIn, build] = await withBuild(t, {}, { jobs: 5, artifactsPerJob: 12 });
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const answer: Asked = await askLinks(standIn, build, { jobs: 2, artifacts: 10, path: 'out/*/file-1*', after });
      const jobs: Jobs | undefined = answer.reply.data?.build?.jobs;
      assert.equal(jobs?.count, 5);
      seen.push(...artifactsOf(answer).map((artifact) => artifact?.path ?? ''));
      after = jobs?.pageInfo.hasNextPage ? jobs.pageInfo.endCursor : null;
    } while (after !== null);
    assert.equal(new Set(seen).size, 5 * 3, 'file-1, file-10 and file-11 of each job');
    const page = (await askLinks(standIn, build, { jobs: 1, artifacts: 5 })).reply.data?.build?.jobs.edges[0]?.node;
    assert.deepEqual([page?.artifacts.count, page?.artifacts.edges.length], [12, 5]);
    const cursor = await query(standIn, links.replace('path: $path', 'after: "1"'), {});
    assert.match(messageOf(cursor) ?? '', /Unknown argument "after" on field "JobTypeCommand.artifacts"/);
  });

  it('has replaced attempts among the jobs, and no SHA-256 where upstream claims other sums', async (t) => {
    const standIn = await started(t);
    const plain = generateBuild({ jobs: 2 });
    const claimed = { ...firstArtifact(plain), claims: { sha1: 'f'.repeat(40) } };
    const build = withJob(plain, { retriedInJobId: plain.jobs[1]?.id ?? '', artifacts: [claimed] });
    standIn.put(build);
    const found = artifactsOf(await askLinks(standIn, build)).find((artifact) => artifact?.uuid === claimed.id);
    assert.deepEqual([found?.sha1sum, found?.sha256sum], ['f'.repeat(40), null]);
  });

  describe('permission and errors', () => {
    it('refuses tokens that it does not know or that lack the permission, and says what a token may', async (t) => {
      const [standIn, build] = await withBuild(t);
      const unknown = await post(standIn.address.graphqlUrl, { query: links }, { authorization: 'Bearer nonsense' });
      assert.deepEqual([unknown.status, messageOf(unknown)?.slice(0, 24)], [401, 'Authentication required.']);
      const authorization = `Bearer ${defaultToken.token}`;
      const refused = await query(standIn, links, {}, { authorization });
      assert.deepEqual([refused.status, messageOf(refused)], [403, "Your access token doesn't have the graphql scope"]);
      assert.ok(((await row(standIn, '/v2/access-token')).scopes as string[]).every((scope) => scope !== 'graphql'));
      const [off] = await withBuild(t, { graphql: { enabled: false } });
      assert.equal((await askLinks(off, build)).status, 403);
      assert.equal((await fetch(standIn.address.graphqlUrl)).status, 404);
    });

    it('answers a query that does not fit with 200 and errors', async (t) => {
      const [standIn] = await withBuild(t);
      for (const text of ['{', '{ nothing }', 'query A { viewer { id } } query B { viewer { id } }']) {
        const answer = await query(standIn, text);
        assert.deepEqual(
          [answer.status, answer.reply.data, typeof messageOf(answer)],
          [200, undefined, 'string'],
          text,
        );
      }
      assert.match(
        messageOf(await query(standIn, links, {})) ?? '',
        /\$build.* of required type "ID!" was not provided/,
      );
      const asString = await post(standIn.address.graphqlUrl, { query: '{ viewer { id } }', variables: '{ }' });
      assert.ok(asString.reply.data);
      assert.equal(
        (await post(standIn.address.graphqlUrl, { query: '{ a }' }, { 'content-type': 'text/plain' })).status,
        400,
      );
    });
  });
});
