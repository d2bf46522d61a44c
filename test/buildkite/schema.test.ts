import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { z } from 'zod';
import {
  parseInstant,
  repositoryName,
  UpstreamAnnotation,
  UpstreamArtifact,
  UpstreamBuild,
  UpstreamJob,
} from '../../src/buildkite/schema.ts';
import { readRecorded, recordedNames, recordedSkip } from './recorded.ts';

/** What each kind of answer is, by the names of the files; the others are none that the mirror reads. */
const kinds: readonly [RegExp, z.ZodType][] = [
  [/rest_docs\/builds__(?!get-a-build_2)|rest_recorded\/(build_|monorobot_build)/, UpstreamBuild],
  [
    /rest_docs\/jobs__(get-a-job\.|list-jobs|re|un)|builds__get-a-build_2|rest_recorded\/job_(retry|unblock)/,
    UpstreamJob,
  ],
  [/rest_docs\/artifacts__(?!download)|rest_recorded\/artifact_(list|retrieve)/, UpstreamArtifact],
  [/annotation/, UpstreamAnnotation],
];
const names = [...recordedNames('rest_docs'), ...recordedNames('rest_recorded')];

/** The items of an answer, whether it was kept with its exchange or alone, as a list or as one. */
function itemsOf(name: string): unknown[] {
  const kept = readRecorded<{ response?: { body: unknown } }>(name);
  const body = Array.isArray(kept) ? kept : (kept.response?.body ?? kept);
  if (Array.isArray(body)) return body;
  const { items } = body as { items?: unknown };
  return Array.isArray(items) ? items : [body];
}

describe('an answer that Buildkite gave or documents', { skip: recordedSkip }, () => {
  for (const [pattern, kind] of kinds) {
    for (const name of names.filter((each) => pattern.test(each))) {
      it(`is understood: ${name}`, () => {
        const items = itemsOf(name);
        assert.ok(items.length > 0);
        for (const item of items) assert.deepEqual(kind.safeParse(item).error?.issues ?? [], []);
      });
    }
  }

  const builds = names.filter((name) => kinds[0]?.[0].test(name));

  it('of a build keeps every job that it shows, by its id', () => {
    let jobs = 0;
    for (const item of builds.flatMap(itemsOf) as { jobs?: { id?: string }[] }[]) {
      const shown = (item.jobs ?? []).flatMap(({ id }) => id?.toLowerCase() ?? []);
      const kept = UpstreamBuild.parse(item).jobs.map(({ id }) => id);
      assert.deepEqual(kept, shown);
      jobs += kept.length;
    }
    assert.ok(jobs > 10, `${jobs} jobs`);
  });

  it('of an artifact is what the record needs of it', () => {
    const [first] = itemsOf('rest_recorded/artifact_list_build.json');
    assert.deepEqual(UpstreamArtifact.parse(first), {
      id: '018a1486-bd2f-4e59-9211-2314043fca05',
      job_id: '018a1486-a2d6-4d80-8204-b6cd3a1a18a5',
      path: 'README.md',
      state: 'finished',
      mime_type: 'text/markdown',
      size: 1047,
      sha1: '60475b7055540d94dd42ef02bea675ae379cab21',
      sha256: null,
    });
  });

  it('of a build shows neither environment nor configuration nor addresses of people after it was read', () => {
    for (const name of builds) {
      for (const item of itemsOf(name)) {
        const text = JSON.stringify(UpstreamBuild.parse(item));
        assert.doesNotMatch(text, /"(env|configuration|webhook_url|email|meta_data|provider)"/, name);
        assert.doesNotMatch(text, /@[\w-]+\.(com|org|io)\b(?!:)/, name);
      }
    }
  });
});

const id = '018a1486-bd2f-4e59-9211-2314043fca05';
const pipeline = { id, slug: 'web', repository: 'git@github.com:acme/web.git' };
const build = { id, number: 1, state: 'passed', pipeline, jobs: [] };

describe('a build', () => {
  it('needs an id, a number, a state and a pipeline, and nothing else', () => {
    const { build: facts, jobs } = UpstreamBuild.parse(build);
    assert.deepEqual([facts.id, facts.branch, facts.commit, facts.blocked, jobs], [id, '', '', false, []]);
    for (const part of ['id', 'number', 'state', 'pipeline']) {
      const { [part as keyof typeof build]: _, ...rest } = build;
      assert.equal(UpstreamBuild.safeParse(rest).success, false, part);
    }
  });

  it('may have states, fields and jobs that nobody has heard of', () => {
    const jobs = [
      null,
      7,
      {},
      { id, type: 'hologram', state: 'dreaming' },
      { id, type: 'script', matrix: [1], agent: 'x' },
    ];
    const parsed = UpstreamBuild.parse({ ...build, state: 'dreaming', new_field: {}, jobs });
    assert.deepEqual(
      parsed.jobs.map(({ type, state }) => [type, state]),
      [
        ['hologram', 'dreaming'],
        ['script', 'finished'],
      ],
    );
  });

  it('that is hostile is refused or read, and never more than that', () => {
    fc.assert(
      fc.property(fc.record({ ...fields(), jobs: fc.array(fc.jsonValue()) }), (hostile) => {
        const parsed = UpstreamBuild.safeParse({ ...build, ...hostile });
        if (parsed.success) assert.equal(typeof parsed.data.build.branch, 'string');
      }),
      { numRuns: 500 },
    );
  });

  it('has a slug that is a folder name, or none at all', () => {
    for (const slug of ['../x', 'a/b', '', '.', '..', 'a b', '-', 'x'.repeat(200), 'web~1']) {
      assert.equal(UpstreamBuild.safeParse({ ...build, pipeline: { ...pipeline, slug } }).success, false, slug);
    }
  });

  it('of a pull request is a fork’s unless its repository is the pipeline’s, however that is written', () => {
    const fork = (repository: string | null): boolean | undefined =>
      UpstreamBuild.parse({ ...build, pull_request: { id: '7', base: 'main', repository } }).build.pull_request?.fork;
    for (const own of ['git@github.com:acme/web.git', 'https://github.com/Acme/Web', 'git://github.com/acme/web.git']) {
      assert.equal(fork(own), false, own);
    }
    for (const other of [
      'git@github.com:mallory/web.git',
      'https://github.com.evil.example/acme/web',
      'acme/web',
      '',
      null,
    ]) {
      assert.equal(fork(other), true, String(other));
    }
  });

  it('has no pull request where old answers say false, or nothing', () => {
    for (const pull of [null, { id: null }, { id: 'false' }, {}, 7]) {
      assert.equal(UpstreamBuild.parse({ ...build, pull_request: pull }).build.pull_request, null);
    }
  });

  it('shows no login of a repository, and no address in a name', () => {
    const repository = 'https://user:token@github.com/acme/web.git';
    const parsed = UpstreamBuild.parse({
      ...build,
      pipeline: { ...pipeline, repository },
      author: { name: 'Mira <mira@acme.example>' },
      pull_request: { id: 7, repository },
    }).build;
    assert.deepEqual([parsed.pipeline.repository, parsed.author], ['https://github.com/acme/web.git', 'Mira']);
    assert.equal(parsed.pull_request?.repository, 'https://github.com/acme/web.git');
    assert.equal(UpstreamBuild.parse({ ...build, creator: { name: 'mira@acme.example' } }).build.author, 'mira');
  });
});

function fields(): Record<string, fc.Arbitrary<unknown>> {
  const names = [
    'branch',
    'commit',
    'message',
    'tag',
    'source',
    'author',
    'creator',
    'pull_request',
    'rebuilt_from',
    'blocked',
  ];
  return Object.fromEntries(names.map((name) => [name, fc.jsonValue()]));
}

describe('an artifact', () => {
  const artifact = { id, job_id: id, path: 'x' };

  it('needs an id, a job and a path', () => {
    assert.equal(UpstreamArtifact.parse(artifact).state, 'finished');
    for (const part of ['id', 'job_id', 'path'])
      assert.equal(UpstreamArtifact.safeParse({ ...artifact, [part]: null }).success, false);
  });

  it('has its sums in lower case, and no size below nothing', () => {
    const [sha1sum, sha256sum] = ['AB'.repeat(20), 'CD'.repeat(32)];
    const parsed = UpstreamArtifact.parse({ ...artifact, sha1sum, sha256sum, file_size: -7 });
    assert.deepEqual([parsed.sha1, parsed.sha256, parsed.size], ['ab'.repeat(20), 'cd'.repeat(32), 0]);
  });

  it('has no sum where what upstream states is none: the other, or a refusal, decides', () => {
    for (const wrong of ['', 'abc', 'g'.repeat(40), 'a'.repeat(64), `${'a'.repeat(39)}\n`])
      assert.equal(UpstreamArtifact.parse({ ...artifact, sha1sum: wrong }).sha1, null, wrong);
    const parsed = UpstreamArtifact.parse({ ...artifact, sha1sum: 'a'.repeat(40), sha256sum: '' });
    assert.deepEqual([parsed.sha1, parsed.sha256], ['a'.repeat(40), null]);
  });
});

describe('a time', () => {
  it('is read in both of Buildkite’s forms', () => {
    assert.equal(parseInstant('2018-07-01 20:14:38 UTC'), '2018-07-01T20:14:38.000Z');
    assert.equal(parseInstant('2023-08-20T19:37:51.832Z'), '2023-08-20T19:37:51.832Z');
    assert.equal(parseInstant('2023-08-20T19:37:51+02:00'), '2023-08-20T17:37:51.000Z');
  });

  it('that is none is none', () => {
    for (const said of [null, undefined, '', 'soon', '2018-13-01 20:14:38 UTC', '2018-07-01T99:00:00Z'])
      assert.equal(parseInstant(said), null);
  });
});

describe('a repository', () => {
  it('has one name, whatever its address', () => {
    const addresses = [
      'git@github.com:acme/web.git',
      'ssh://git@github.com/acme/web.git',
      'https://github.com/Acme/web',
      'https://user:token@github.com/acme/web.git/',
    ];
    for (const address of addresses) assert.equal(repositoryName(address), 'github.com/acme/web', address);
    assert.equal(repositoryName(null), null);
  });
});
