import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createPace } from '../../bench/pace.ts';
import { type Bucket, bucketObjects, inBucket } from '../../demo/standin/bucket.ts';
import type { SampleArtifact, SampleBuild } from '../../demo/standin/sample.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import type { ArtifactRecord, FileState, JobRecord } from '../../src/model.ts';
import { accessKey, type BucketServer, cutAfter, refuse, startBuckets } from '../storage/bucket-server.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { artifactOf, buildOf, newBuild, scriptOf, textArtifact, withArtifact } from './samples.ts';

const mib = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-metrics-'));
const metricsSocket = join(folder, 'metrics.sock');
let s3: BucketServer;
let mirror: Mirror;
before(async () => {
  s3 = await startBuckets(['ci-files', 'unlisted']);
  const settings = {
    KITEMIRROR_S3_BUCKETS: 'ci-files/{pipeline}',
    KITEMIRROR_WORKER_METRICS_LISTEN: `unix:${metricsSocket}`,
    KITEMIRROR_LOG_LEVEL: 'debug',
  };
  mirror = await startMirror({ env: { ...s3.environment, ...settings } });
});
beforeEach(() => {
  s3.spoiler = null;
  s3.gets.length = 0;
  mirror.standIn.requests.length = 0;
});
after(async () => {
  await mirror.stop();
  await s3.stop();
  rmSync(folder, { recursive: true });
});

const pathStyle = (): Bucket => ({ name: 'ci-files', style: 'path', base: s3.url });

/** The build with its artifacts in the bucket, told of and waited for. */
async function mirrored(plain: SampleBuild, bucket: Bucket = pathStyle()): Promise<JobRecord> {
  await s3.put(bucket.name, bucketObjects(plain, bucket));
  return taken(inBucket(plain, bucket));
}

async function taken(build: SampleBuild): Promise<JobRecord> {
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return mirror.job(build, scriptOf(build).id);
}

/** The record once the artifact is as wanted; it may be tried again later. */
async function untilState(build: SampleBuild, state: FileState): Promise<ArtifactRecord> {
  mirror.standIn.put(build);
  await mirror.tell(build);
  const { artifacts } = await mirror.jobRecord(build, scriptOf(build).id, (job) => job.artifacts[0]?.state === state);
  const [artifact] = artifacts;
  assert.ok(artifact);
  return artifact;
}

const only = (path: string, content = 'x', change: Partial<SampleArtifact> = {}): SampleBuild =>
  buildOf([[textArtifact(path, content, change)]]);

const large = (size = 2 * mib): SampleBuild =>
  newBuild({ jobs: 1, artifactsPerJob: 1, bytes: size, path: () => 'large.bin' });

async function readsOf(outcome: string): Promise<number> {
  const answer = await new Promise<string>((resolve, reject) => {
    get({ socketPath: metricsSocket, path: '/metrics' }, (response) => resolve(text(response))).on('error', reject);
  });
  return Number(new RegExp(`kitemirror_bucket_reads_total\\{outcome="${outcome}"\\} (\\d+)`).exec(answer)?.[1] ?? 0);
}

describe('artifacts in a private bucket', () => {
  it('are mirrored with the credentials of AWS, whatever form their addresses have', async () => {
    for (const bucket of [
      pathStyle(),
      { name: 'ci-files', style: 'virtual', base: s3.url } as const,
      // What agents tell of any bucket, also where they upload to an endpoint of one's own.
      { name: 'ci-files', style: 'virtual', base: 'https://s3.amazonaws.com' } as const,
      { name: 'ci-files', style: 'path', base: 'https://s3.eu-west-1.amazonaws.com' } as const,
    ]) {
      const plain = newBuild({ jobs: 2, artifactsPerJob: 3, path: (job, at) => `a b/ü?+${job} ${at}%.txt` });
      const { artifacts, present } = await mirrored(plain, bucket);
      assert.deepEqual([artifacts.map(({ reason }) => reason), present], [[null, null, null], 4]);
    }
    assert.equal(s3.gets.length, 24);
    assert.ok(
      s3.gets.every(({ authorization }) => authorization.startsWith(`AWS4-HMAC-SHA256 Credential=${accessKey}/`)),
    );
    const asked = mirror.standIn.requests.map(({ at, path }) => `${at} ${path}`);
    assert.equal(
      asked.filter((each) => each.startsWith('storage')).length,
      0,
      "nothing is asked of Buildkite's storage",
    );
  });

  it('never see the token', () => {
    assert.ok(!JSON.stringify(s3.gets).includes(defaultToken.token));
  });

  it('that are empty, or one byte, are mirrored', async () => {
    const build = buildOf([[textArtifact('empty', ''), textArtifact('one', '1')]]);
    assert.equal((await mirrored(build)).complete, true);
  });

  it('of another pipeline are refused, and not asked for', async () => {
    const theirs = only('secret.txt', 'theirs');
    await s3.put('ci-files', bucketObjects(theirs, pathStyle()));
    const { location = '' } = artifactOf(inBucket(theirs, pathStyle()));
    const key = location.replace(`${s3.url}/ci-files/`, '');
    const ours = buildOf([
      [
        textArtifact('stolen.txt', 'theirs', { location }),
        textArtifact('climbing.txt', 'theirs'),
        textArtifact('unlisted.txt', 'theirs', { location: `${s3.url}/unlisted/x` }),
      ],
    ]);
    const slug = ours.pipeline.slug;
    const { artifacts, settled } = await taken(
      withArtifact(ours, 0, 1, { location: `${s3.url}/ci-files/${slug}/..%2f${key}` }),
    );
    assert.equal(settled, true);
    for (const { path, state, reason, url } of artifacts) {
      assert.deepEqual([path, state, url], [path, 'refused', null]);
      assert.match(
        reason ?? '',
        path === 'unlisted.txt' ? /KITEMIRROR_DOWNLOAD_HOSTS/ : new RegExp(`BUCKETS lists for ${slug}`),
      );
    }
    assert.deepEqual(s3.gets, []);
  });

  it('without a digest upstream are refused, and not asked for', async () => {
    const { artifacts } = await mirrored(only('unsigned.txt', 'x', { claims: { sha1: null, sha256: null } }));
    assert.deepEqual(
      [artifacts[0]?.state, artifacts[0]?.reason],
      ['refused', 'upstream states no digest to check it by'],
    );
    assert.deepEqual(s3.gets, []);
  });

  it('that are other bytes than upstream states are never shown', async () => {
    for (const held of ['other', 'longer than it is', '']) {
      const plain = only('changed.txt', 'right');
      const bucket = pathStyle();
      await s3.put('ci-files', [{ ...bucketObjects(plain, bucket)[0], content: Buffer.from(held) } as never]);
      const { reason } = await untilState(inBucket(plain, bucket), 'failed');
      assert.match(reason ?? '', held === 'other' ? /states [0-9a-f]{40} and sent [0-9a-f]{40}/ : /upstream states/);
      assert.deepEqual(await digestTree(mirror.paths.merged(placeOf(plain))), {});
      await s3.put('ci-files', bucketObjects(plain, bucket));
      assert.equal((await mirror.settled(plain)).complete, true);
    }
    assert.ok((await readsOf('mismatch')) > 0);
  });

  it('that break off go on where they ended, by ranges of the same object', async () => {
    let cuts = 2;
    s3.spoiler = (_request, response) => (cuts-- > 0 ? cutAfter(response, 600_000) : false);
    const { complete } = await mirrored(large());
    assert.equal(complete, true);
    assert.deepEqual(
      s3.gets.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]) > 0),
      [false, true, true],
    );
    assert.ok((await readsOf('unavailable')) >= 2);
  });

  it('that are replaced while they are read are begun anew', async () => {
    let gets = 0;
    s3.spoiler = (_request, response) => {
      gets += 1;
      if (gets === 1) return cutAfter(response, 500_000);
      return gets === 2 ? refuse(response, 412, 'PreconditionFailed') : false;
    };
    assert.equal((await mirrored(large())).complete, true);
    assert.deepEqual(
      s3.gets.map(({ range }) => range === null),
      [true, false, true],
    );
  });

  it('that are large come in several ranges at once where each connection is slow, also where one breaks off', async () => {
    const slowDown = createPace({ bytesPerSecond: 5e6, isShared: false });
    let atOnce = 0;
    let most = 0;
    let cut = false;
    s3.spoiler = (request, response) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      response.once('close', () => {
        atOnce -= 1;
      });
      slowDown(response);
      if (cut || !/^bytes=\d+-\d+$/.test(request.headers.range ?? '')) return false;
      cut = true;
      return cutAfter(response, 1_000_000);
    };
    const { complete, artifacts } = await mirrored(large(64 * mib));
    assert.deepEqual([complete, artifacts[0]?.size], [true, 64 * mib]);
    assert.ok(cut && most >= 3, `${most} at once`);
  });

  it('that are large come as one stream where ranges are no faster, which is found out with the first', async (t) => {
    await mirror.stopWorker();
    await mirror.startWorker();
    const slowDown = createPace({ bytesPerSecond: 5e6, isShared: true });
    s3.spoiler = (_request, response) => {
      slowDown(response);
      return false;
    };
    assert.equal((await mirrored(large(40 * mib))).complete, true);
    t.diagnostic(s3.gets.map(({ range }) => range ?? 'all').join(', '));
    s3.spoiler = null;
    s3.gets.length = 0;
    assert.equal((await mirrored(large(40 * mib))).complete, true);
    assert.deepEqual(
      s3.gets.map(({ range }) => range),
      [null],
    );
  });
});

describe('a bucket that cannot be read', () => {
  const denials: Record<string, { status: number; outcome: string; reason: RegExp; code?: string; extra?: string }> = {
    AccessDenied: { status: 403, outcome: 'denied', reason: /denies the read: s3:GetObject.*\(AccessDenied\)/ },
    ExpiredToken: { status: 400, outcome: 'credentials', reason: /refuses the worker's AWS credentials/ },
    RequestTimeTooSkewed: { status: 403, outcome: 'clock', reason: /this machine's clock/ },
    PermanentRedirect: { status: 301, outcome: 'region', reason: /another region: set AWS_REGION/ },
    InvalidObjectState: { status: 403, outcome: 'archived', reason: /archived/ },
    NoSuchBucket: { status: 404, outcome: 'denied', reason: /is not there: is AWS_ENDPOINT_URL_S3/ },
    SomethingNew: { status: 400, outcome: 'denied', reason: /answered 400 \(SomethingNew\)/ },
  };
  for (const [code, { status, outcome, reason }] of Object.entries(denials)) {
    it(`by ${code} is a reason on record, a metric and a line of the log, and is tried again`, async () => {
      const plain = only(`${code}.txt`);
      const bucket = pathStyle();
      await s3.put('ci-files', bucketObjects(plain, bucket));
      const before = await readsOf(outcome);
      const secret = `<AWSAccessKeyId>${accessKey}</AWSAccessKeyId><StringToSign>sign-me</StringToSign>`;
      s3.spoiler = (_request, response) => refuse(response, status, code, secret);
      const build = inBucket(plain, bucket);
      const failed = await untilState(build, 'failed');
      assert.match(failed.reason ?? '', reason);
      assert.ok((await readsOf(outcome)) > before);
      assert.ok(
        mirror.output.some((line) => line.includes('a bucket cannot be read') && line.includes(`"${outcome}"`)),
      );
      s3.spoiler = null;
      assert.equal((await mirror.settled(build)).complete, true);
    });
  }

  it('with these credentials is not asked for each of many artifacts', async () => {
    const plain = newBuild({ jobs: 1, artifactsPerJob: 200 });
    const bucket = pathStyle();
    await s3.put('ci-files', bucketObjects(plain, bucket));
    s3.spoiler = (_request, response) => refuse(response, 403, 'InvalidAccessKeyId', '');
    const build = inBucket(plain, bucket);
    const failed = await untilState(build, 'failed');
    assert.match(failed.reason ?? '', /refuses the worker's AWS credentials/);
    const asked = s3.gets.length;
    assert.ok(asked > 0 && asked < 100, `asked ${asked} times`);
    s3.spoiler = null;
    assert.equal((await mirror.settled(build)).complete, true);
  });

  it('for its region is asked where it is', async () => {
    for (const [status, code] of [
      [301, 'PermanentRedirect'],
      [400, 'AuthorizationHeaderMalformed'],
    ] as const) {
      const region = status === 301 ? 'eu-central-1' : 'ap-southeast-2';
      s3.spoiler = (request, response) => {
        if (request.headers.authorization?.includes(`/${region}/s3/`)) return false;
        response.setHeader('x-amz-bucket-region', region);
        return refuse(response, status, code);
      };
      const plain = buildOf([[textArtifact('a', 'a'), textArtifact('b', 'b')]]);
      assert.equal((await mirrored(plain)).complete, true);
    }
  });

  it('for a clock that is off is asked by its own clock', async () => {
    // The server's hour is another one: s3rver itself refuses what is signed by ours.
    const offMs = 3_600_000;
    s3.spoiler = (request, response) => {
      const signedAt = String(request.headers['x-amz-date']).replace(/^(....)(..)(.....)(..)(...)$/, '$1-$2-$3:$4:$5');
      if (Math.abs(Date.parse(signedAt) - Date.now() - offMs) < 600_000) {
        response.end('by the right clock');
        return true;
      }
      response.setHeader('date', new Date(Date.now() + offMs).toUTCString());
      return refuse(response, 403, 'RequestTimeTooSkewed');
    };
    assert.equal((await mirrored(only('clock.txt', 'by the right clock'))).complete, true);
  });

  it('has no such object: it is lost, and Buildkite is not asked again', async () => {
    const build = inBucket(only('gone.txt'), pathStyle());
    const { artifacts, settled } = await taken(build);
    assert.equal(settled, true);
    assert.deepEqual([artifacts[0]?.state, artifacts[0]?.reason], ['lost', 'the bucket ci-files has no such object']);
    const { id } = artifactOf(build);
    assert.equal(mirror.standIn.requests.filter(({ path }) => path.includes(id)).length, 1);
    assert.ok((await readsOf('gone')) > 0);
  });

  it('leaves no key, signature or token in the log or in any record', async () => {
    await mirror.idle();
    const secrets = ['StringToSign', 'sign-me', 'AWS4-HMAC', 'Credential=', `"${accessKey}"`, `>${accessKey}<`];
    const log = mirror.output.join('\n');
    assert.ok(log.length > 1000);
    assert.deepEqual(
      secrets.filter((secret) => log.includes(secret)),
      [],
    );
    const records = Object.keys(await digestTree(mirror.paths.root)).filter((file) => /\.(json|html)$/.test(file));
    assert.ok(records.length > 10);
    for (const file of records) {
      const content = readFileSync(join(mirror.paths.root, file), 'utf8');
      assert.deepEqual(
        secrets.filter((secret) => content.includes(secret)),
        [],
        file,
      );
    }
  });
});

describe('credentials', () => {
  const cases: Record<string, { env: Record<string, string>; reason: RegExp }> = {
    'that the bucket does not know': {
      env: { AWS_ACCESS_KEY_ID: 'AKIDUNKNOWN' },
      reason: /refuses the worker's AWS credentials \(InvalidAccessKeyId\)/,
    },
    'with a wrong secret': {
      env: { AWS_SECRET_ACCESS_KEY: 'not-this-one' },
      reason: /refuses the worker's AWS credentials \(SignatureDoesNotMatch\)/,
    },
    'that are not there': {
      env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
      reason: /finds no AWS credentials.*\(CredentialsProviderError\)/,
    },
  };
  for (const [name, { env, reason }] of Object.entries(cases)) {
    it(`${name} are the reason that is on record`, async () => {
      await mirror.stopWorker();
      await mirror.startWorker(env);
      const plain = only('keys.txt');
      await s3.put('ci-files', bucketObjects(plain, pathStyle()));
      const { reason: told } = await untilState(inBucket(plain, pathStyle()), 'failed');
      assert.match(told ?? '', reason);
      assert.ok(!mirror.output.join('\n').includes('not-this-one'));
    });
  }
});
