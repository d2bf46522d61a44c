import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MirrorError } from '../../src/errors.ts';
import { checkDownloadHost } from '../../src/storage/hosts.ts';

function allows(url: string, hosts: readonly string[] | null): boolean {
  try {
    checkDownloadHost(new URL(url), hosts);
    return true;
  } catch (thrown) {
    assert.ok(thrown instanceof MirrorError);
    assert.equal(thrown.code, 'ERR_DOWNLOAD_REFUSED');
    assert.doesNotMatch(thrown.message + JSON.stringify(thrown.details), /secret/, 'a link is never told');
    return false;
  }
}

describe('without a list, downloads lead to', () => {
  const own = [
    'https://buildkiteartifacts.com/a/b?X-Amz-Signature=secret',
    'https://web.buildkiteartifacts.com/a',
    'https://s3.amazonaws.com/buildkiteartifacts.com/a/b',
    'https://buildkiteartifacts.com.s3.amazonaws.com/a',
    // What agents on Windows call their files, and other names that are no way out.
    'https://s3.amazonaws.com/buildkiteartifacts.com/a/log%5Ctest.log',
    'https://s3.amazonaws.com/buildkiteartifacts.com/a/..b/c..%2F.x',
    'https://web.buildkiteartifacts.com/a/log%5C..%5Ctest.log',
  ];
  for (const url of own) it(`${new URL(url).host}${new URL(url).pathname}`, () => assert.ok(allows(url, null)));
});

describe('without a list, downloads do not lead to', () => {
  const others = [
    'http://buildkiteartifacts.com/a?secret',
    'https://evilbuildkiteartifacts.com/a?secret',
    'https://buildkiteartifacts.com.evil.example/a?secret',
    'https://s3.amazonaws.com/another-bucket/a?secret',
    'https://s3.amazonaws.com/buildkiteartifacts.com-evil/a?secret',
    'https://s3.amazonaws.com/?secret',
    'https://s3.amazonaws.com/buildkiteartifacts.com/../another-bucket/a?secret',
    'https://s3.amazonaws.com/buildkiteartifacts.com/%2e%2e/another-bucket/a?secret',
    'https://s3.amazonaws.com/buildkiteartifacts.com/..%2fanother-bucket/a?secret',
    'https://s3.amazonaws.com/buildkiteartifacts.com/.%2E%5Canother-bucket/a?secret',
    'https://another.s3.amazonaws.com/buildkiteartifacts.com/a?secret',
    'https://secret:secret@buildkiteartifacts.com/a',
    'https://169.254.169.254/latest/meta-data/?secret',
    'http://127.0.0.1/?secret',
    'http://[::1]/?secret',
    'https://localhost/?secret',
    'file:///etc/passwd?secret',
    'data:text/plain,secret',
    'ftp://buildkiteartifacts.com/a?secret',
    'https://api.buildkite.com/v2/?secret',
  ];
  for (const url of others) it(url.replace('secret', '…'), () => assert.ok(!allows(url, null)));
});

describe('a list of hosts', () => {
  it('is all there is: what is not on it is refused, Buildkite’s own too', () => {
    assert.ok(allows('https://minio.example:9000/x', ['minio.example:9000']));
    assert.ok(!allows('https://buildkiteartifacts.com/a', ['minio.example:9000']));
    assert.ok(!allows('https://minio.example:9000/x', []));
  });

  it('names a host on any port, or on one', () => {
    for (const url of ['http://h.example/x', 'https://h.example/x', 'http://h.example:81/x'])
      assert.ok(allows(url, ['h.example']));
    assert.ok(allows('https://h.example/x', ['h.example:443']));
    assert.ok(allows('http://h.example/x', ['h.example:80']));
    assert.ok(!allows('http://h.example/x', ['h.example:443']));
    assert.ok(!allows('https://h.example:8443/x', ['h.example:443']));
  });

  it('has wildcards for what is below a domain, and not for the domain itself', () => {
    assert.ok(allows('https://a.h.example/x', ['*.h.example']));
    assert.ok(allows('https://a.b.h.example/x', ['*.h.example:443']));
    assert.ok(!allows('https://h.example/x', ['*.h.example']));
    assert.ok(!allows('https://evilh.example/x', ['*.h.example']));
  });

  it('knows a host however its address is written', () => {
    assert.ok(allows('https://H.EXAMPLE/x', ['h.example']));
    assert.ok(allows('http://[::1]:81/x', ['[::1]:81']));
    assert.ok(allows('http://[0:0:0:0:0:0:0:1]/x', ['[::1]']));
    assert.ok(allows('http://127.0.0.1/x', ['127.0.0.1']));
    assert.ok(allows('http://2130706433/x', ['127.0.0.1']), 'the URL’s own parser has made it the same');
    assert.ok(!allows('http://h.example./x', ['h.example']), 'and where it has not, it is another');
  });

  it('lets nobody bring a login, or another scheme', () => {
    assert.ok(!allows('http://secret@h.example/x', ['h.example']));
    assert.ok(!allows('http://:secret@h.example/x', ['h.example']));
    assert.throws(() => checkDownloadHost(new URL('http://secret@h.example/x'), ['h.example']), {
      code: 'ERR_DOWNLOAD_REFUSED',
      message: 'its download leads to h.example with a login in its address',
    });
    assert.ok(!allows('ftp://h.example/x', ['h.example']));
    assert.ok(!allows('file://h.example/x', ['h.example']));
  });
});
