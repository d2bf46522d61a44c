import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseBuckets } from '../../src/config/buckets.ts';
import { locate } from '../../src/storage/bucket-address.ts';

const minio = new URL('http://minio.internal:9000');

function located(url: string, rules: string, { pipeline = 'web', endpoint = null as URL | null } = {}) {
  return locate(new URL(url), pipeline, { rules: parseBuckets(rules), endpoint });
}

describe('the address of an artifact in a listed bucket', () => {
  it('is known in each of the forms that AWS has, with its region', () => {
    const forms: Record<string, string | null> = {
      'https://ci-files.s3.amazonaws.com/': null,
      'https://ci-files.s3.eu-west-1.amazonaws.com/': 'eu-west-1',
      'https://ci-files.s3-us-west-2.amazonaws.com/': 'us-west-2',
      'https://ci-files.s3-external-1.amazonaws.com/': 'us-east-1',
      'https://ci-files.s3.dualstack.ap-southeast-2.amazonaws.com/': 'ap-southeast-2',
      'https://ci-files.s3-fips.us-gov-west-1.amazonaws.com/': 'us-gov-west-1',
      'https://ci-files.s3-fips.dualstack.us-east-2.amazonaws.com/': 'us-east-2',
      'https://ci-files.s3-accelerate.amazonaws.com/': null,
      'https://ci-files.s3-accelerate.dualstack.amazonaws.com/': null,
      'https://ci-files.s3.cn-north-1.amazonaws.com.cn/': 'cn-north-1',
      'https://s3.amazonaws.com/ci-files/': null,
      'https://s3.eu-west-1.amazonaws.com/ci-files/': 'eu-west-1',
      'https://s3-eu-central-1.amazonaws.com/ci-files/': 'eu-central-1',
      'https://s3.dualstack.eu-west-1.amazonaws.com/ci-files/': 'eu-west-1',
    };
    for (const [base, region] of Object.entries(forms)) {
      const found = located(`${base}web/1/a%20b/%C3%BC%3F+.txt`, 'ci-files');
      assert.deepEqual(found, { bucket: 'ci-files', key: 'web/1/a b/ü?+.txt', region }, base);
    }
  });

  it('is known at an endpoint of its own, and there by the name that agents tell of it', () => {
    for (const endpoint of [minio, new URL('https://storage.example.com/s3/')]) {
      const { protocol, host, pathname } = endpoint;
      const base = pathname.replace(/\/$/, '');
      for (const url of [
        `${protocol}//${host}${base}/ci-files/web/x`,
        `${protocol}//ci-files.${host}${base}/web/x`,
        'https://ci-files.s3.amazonaws.com/web/x',
      ]) {
        assert.deepEqual(
          located(url, 'ci-files', { endpoint }),
          { bucket: 'ci-files', key: 'web/x', region: null },
          url,
        );
      }
    }
  });

  it('is known by an access URL', () => {
    const rules = 'ci-files/{pipeline}=https://files.example.com/ci,other=https://other.example.com';
    const object = { bucket: 'ci-files', key: 'web/x', region: null };
    assert.deepEqual(located('https://files.example.com/ci/web/x', rules), object);
    assert.equal(located('https://files.example.com/ci/api/x', rules), 'outside');
    assert.equal(located('https://files.example.com/web/x', rules), null);
    assert.equal(located('https://files.example.com.evil.example/ci/web/x', rules), null);
  });

  it('has to be below the prefix of its pipeline', () => {
    const rules = 'ci-files/builds/{pipeline},ci-files/shared,ci-files/of-{pipeline}/x';
    const at = (key: string, pipeline = 'web') =>
      located(`https://ci-files.s3.amazonaws.com/${key}`, rules, { pipeline });
    for (const key of ['builds/web/a', 'shared/a', 'of-web/x/a', 'builds/w%65b/a'])
      assert.equal(typeof at(key), 'object');
    for (const key of ['builds/website/a', 'builds/web', 'builds/api/a', 'shared-not/a', 'a', 'builds/{pipeline}/a'])
      assert.equal(at(key), 'outside', key);
    assert.equal(typeof at('builds/api/a', 'api'), 'object');
  });

  it('is none where it is signed, has a login, a port, another host, or asks for something else', () => {
    for (const url of [
      'https://ci-files.s3.amazonaws.com/x?X-Amz-Signature=1',
      'https://ci-files.s3.amazonaws.com/x?versionId=1',
      'https://ci-files.s3.amazonaws.com/x#y',
      'https://me:you@ci-files.s3.amazonaws.com/x',
      'https://ci-files.s3.amazonaws.com:8443/x',
      'ftp://ci-files.s3.amazonaws.com/x',
      'https://ci-files.s3.amazonaws.com.evil.example/x',
      'https://not-ci-files.s3.amazonaws.com/x',
      'https://x.ci-files.s3.amazonaws.com/x',
      'https://ci-files.s3-website.eu-west-1.amazonaws.com/x',
      'https://ci-files.s3.evil.example.amazonaws.com/x',
      'https://ci-files.execute-api.eu-west-1.amazonaws.com/x',
      'https://minio.internal:9001/ci-files/x',
      'https://minio.internal:9000/ci-files/x',
    ]) {
      assert.equal(located(url, 'ci-files', { endpoint: minio }), null, url);
    }
  });

  it('is never one that two servers could read in two ways', () => {
    for (const key of [
      'web/..%2fapi/x',
      'web%2fx',
      'web/%2e%2e%2fapi/x',
      'web/..%5capi/x',
      'web/%252e%252e/api/x',
      'web/../api/x',
      'web/%2e%2e/api/x',
      'web//x',
      'web/',
      'web/a%00',
      'web/%ff',
      'web/%',
    ]) {
      assert.equal(located(`https://ci-files.s3.amazonaws.com/${key}`, 'ci-files/web'), 'outside', key);
    }
  });

  it('never names what is outside of the bucket and the prefix, whatever it is made of', () => {
    const piece = fc.constantFrom(
      ...['web', 'api', 'ci-files', 'secret', '..', '.', '%2e%2e', '%2E.', '%2f', '%2F', '%5c', '\\', '/', '//', '%00'],
      ...['%252e', '%252f', 's3', '.amazonaws.com', '.s3', '@', ':80', '?', '#', ';', '%C3%BC', ' ', '+', '{pipeline}'],
    );
    const tail = fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 12 }).map((all) => all.join(''));
    const start = fc.constantFrom(
      ...['https://ci-files.s3.amazonaws.com/', 'https://s3.amazonaws.com/ci-files/', 'https://s3.amazonaws.com/'],
      ...[
        'http://minio.internal:9000/',
        'http://minio.internal:9000/ci-files/',
        'http://ci-files.minio.internal:9000/',
      ],
      ...['https://files.example.com/ci/', 'https://files.example.com/', 'https://', 'https://ci-files.'],
    );
    const rules = parseBuckets('ci-files/builds/{pipeline},ci-files/web=https://files.example.com/ci');
    let matched = 0;
    fc.assert(
      fc.property(start, fc.constantFrom('', 'builds/web/', 'web/', 'builds/api/'), tail, (base, folder, rest) => {
        const text = `${base}${folder}${rest}`;
        if (!URL.canParse(text)) return;
        const found = locate(new URL(text), 'web', { rules, endpoint: minio });
        if (found === null || found === 'outside') return;
        matched += 1;
        assert.equal(found.bucket, 'ci-files');
        assert.match(found.key, /^(builds\/web|web)\/./);
        assert.ok(!found.key.split(/[/\\]/).some((part) => part === '' || part === '.' || part === '..'), found.key);
        // Written down as an address again and read by any other parser, it is the same key.
        const again = new URL(`https://h/${found.key.split('/').map(encodeURIComponent).join('/')}`);
        assert.equal(decodeURIComponent(again.pathname.slice(1)), found.key);
      }),
      { numRuns: 20_000 },
    );
    assert.ok(matched > 500, `${matched} were matches`);
  });
});

describe('KITEMIRROR_S3_BUCKETS', () => {
  it('is a list of buckets with a prefix, and an access URL where agents have one', () => {
    assert.deepEqual(parseBuckets('a-b.c, logs/ci/{pipeline}/ ,x-1/y=2=https://files.example.com/z/'), [
      { bucket: 'a-b.c', prefix: '', accessUrl: null },
      { bucket: 'logs', prefix: 'ci/{pipeline}', accessUrl: null },
      { bucket: 'x-1', prefix: 'y=2', accessUrl: 'https://files.example.com/z' },
    ]);
  });

  it('is refused with what is wrong with it', () => {
    const faults: Record<string, RegExp> = {
      ',': /names no bucket/,
      's3://files': /does not begin with a bucket's name/,
      UPPER: /bucket's name/,
      'a..b': /bucket's name/,
      '127.0.0.1': /bucket's name/,
      'files//x': /empty folder/,
      'files/../x': /"\.\."/,
      'files/{branch}': /\{pipeline\} and no other/,
      'files/*': /no other pattern/,
      'files=https://me@host': /access URL/,
      'files=https://host/?x': /access URL/,
    };
    for (const [value, fault] of Object.entries(faults)) assert.throws(() => parseBuckets(value), fault, value);
  });
});
