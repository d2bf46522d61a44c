import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { bytesOf, digestOf, readAll } from '../../demo/standin/bytes.ts';
import { securityToken } from '../../demo/standin/links.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import {
  ask,
  buildPath,
  firstArtifact,
  firstJob,
  home,
  jobPath,
  linkOf,
  type Row,
  row,
  rows,
  started,
  withJob,
} from './ask.ts';

describe('artifacts and their storage in the stand-in', () => {
  describe('artifacts', () => {
    it('lists all of a build by pages of at most 100, in the recorded shape', async (t) => {
      const standIn = await started(t);
      const build = generateBuild({ jobs: 5, artifactsPerJob: 50, bytes: 10 });
      standIn.put(build);
      const found: Row[] = [];
      let next: string | undefined = `${standIn.address.apiUrl}${buildPath(build)}/artifacts?per_page=500`;
      while (next !== undefined) {
        const answer: Response = await ask(standIn, next);
        const page = (await answer.json()) as Row[];
        assert.ok(page.length <= 100);
        found.push(...page);
        next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
      }
      assert.equal(new Set(found.map((artifact) => artifact.id)).size, 250);
      const keys =
        'id job_id url download_url state path dirname filename mime_type file_size glob_path original_path sha1sum';
      assert.deepEqual(Object.keys(found[0] ?? {}), keys.split(' '));
      assert.equal((await rows(standIn, `${buildPath(build)}/artifacts`)).length, 30);
      assert.equal((await rows(standIn, `${jobPath(build)}/artifacts?per_page=100`)).length, 50);
      assert.equal((await rows(standIn, `${home}/jobs/${firstJob(build).id}/artifacts?path=out/0/file-4*`)).length, 11);
      assert.equal((await ask(standIn, `${buildPath(build)}/artifacts?state=odd`)).status, 422);
    });

    it('leaves attempts that were replaced out of a build listing, but not out of their own', async (t) => {
      const standIn = await started(t);
      const build = withJob(generateBuild({ jobs: 2 }), { retriedInJobId: 'a0000000-0000-4000-8000-000000000000' });
      standIn.put(build);
      assert.equal((await rows(standIn, `${buildPath(build)}/artifacts`)).length, 1);
      assert.equal((await rows(standIn, `${jobPath(build)}/artifacts`)).length, 1);
    });

    it('shows an artifact as new for as many looks as it is told, and lets only finished ones be downloaded', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild();
      const artifact = { ...firstArtifact(plain), newForLooks: 2 };
      const build = withJob(plain, { artifacts: [artifact] });
      standIn.put(build);
      const state = async (): Promise<unknown> => (await rows(standIn, `${jobPath(build)}/artifacts`))[0]?.state;
      assert.equal(await state(), 'new');
      assert.equal((await ask(standIn, `${jobPath(build)}/artifacts/${artifact.id}/download`)).status, 404);
      assert.equal(await state(), 'new');
      assert.equal(await state(), 'finished');
      await linkOf(standIn, build);
    });

    it('does not list what was deleted', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild();
      const build = withJob(plain, { artifacts: [{ ...firstArtifact(plain), state: 'deleted' }] });
      standIn.put(build);
      assert.deepEqual(await rows(standIn, `${buildPath(build)}/artifacts`), []);
      assert.deepEqual(await rows(standIn, `${jobPath(build)}/artifacts?state=deleted`), []);
    });
  });

  describe('storage', () => {
    it('serves the bytes that were listed, whatever their name, and refuses a second authorization', async (t) => {
      const standIn = await started(t);
      const names = ['a b/ü%20"q\'.txt', '../above.txt', '.next/cache', 'back\\slash', 'a//b', 'new\nline', '?#&=+'];
      const build = generateBuild({
        artifactsPerJob: names.length,
        bytes: 5000,
        path: (_, place) => names[place] ?? '',
      });
      standIn.put(build);
      for (const listed of await rows(standIn, `${buildPath(build)}/artifacts`)) {
        const { url } = await row(standIn, String(listed.download_url));
        const bytes = Buffer.from(await (await ask(standIn, String(url))).arrayBuffer());
        assert.equal(createHash('sha1').update(bytes).digest('hex'), listed.sha1sum, String(listed.path));
        assert.equal(bytes.length, listed.file_size);
      }
      const link = await linkOf(standIn, build);
      const refused = await ask(standIn, link, { authorization: `Bearer ${defaultToken.token}` });
      assert.equal(refused.status, 400);
      assert.match(await refused.text(), /<Code>InvalidArgument<\/Code>/);
      assert.ok(standIn.requests.some((seen) => seen.at === 'storage' && seen.authorization));
    });

    it('honours a link for its time only, for GET only, and only as it was signed', async (t) => {
      let now = Date.now();
      const standIn = await started(t, { now: () => now });
      const build = generateBuild();
      standIn.put(build);
      const link = await linkOf(standIn, build);
      assert.match(link, /X-Amz-Expires=600&/);
      assert.equal((await ask(standIn, link)).status, 200);
      assert.equal((await ask(standIn, link, {}, 'HEAD')).status, 403);
      assert.equal((await ask(standIn, link.replace('Expires=600', 'Expires=900'))).status, 403);
      assert.equal((await ask(standIn, link.split('?')[0] ?? '')).status, 403);
      now += 602_000;
      const late = await ask(standIn, link);
      assert.equal(late.status, 403);
      assert.match(await late.text(), /Request has expired/);
      assert.ok(!JSON.stringify(standIn.requests).includes(securityToken), 'signatures stay out of the record');
    });

    it('serves ranges, and conditions on them', async (t) => {
      const standIn = await started(t);
      const build = generateBuild({ bytes: 3_000_000 });
      const whole = readAll(firstArtifact(build).content);
      standIn.put(build);
      const link = await linkOf(standIn, build);
      const part = await ask(standIn, link, { range: 'bytes=1048570-2999990' });
      assert.equal(part.status, 206);
      assert.equal(part.headers.get('content-range'), 'bytes 1048570-2999990/3000000');
      assert.ok(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(1_048_570, 2_999_991)));
      const etag = part.headers.get('etag') ?? '';
      const tail = await ask(standIn, link, { range: 'bytes=-10', 'if-range': etag });
      assert.ok(Buffer.from(await tail.arrayBuffer()).equals(whole.subarray(-10)));
      const changed = await ask(standIn, link, { range: 'bytes=-10', 'if-range': '"other"' });
      assert.equal(changed.status, 200);
      await changed.arrayBuffer();
      assert.equal((await ask(standIn, link, { 'if-match': '"other"' })).status, 412);
      assert.equal((await ask(standIn, link, { range: 'bytes=3000000-' })).status, 416);
    });

    it('holds one object for a path that a job uploaded twice', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild({ artifactsPerJob: 2, path: () => 'same.txt' });
      standIn.put(plain);
      const bytes = Buffer.from(await (await ask(standIn, await linkOf(standIn, plain))).arrayBuffer());
      const [first, second] = firstJob(plain).artifacts;
      assert.ok(first && second);
      assert.ok(bytes.equals(readAll(second.content)) && !bytes.equals(readAll(first.content)));
    });

    it('makes many GiB from a seed, any part of it at once', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild();
      const content = { seed: 'large', size: 40_000_000 };
      standIn.put(withJob(plain, { artifacts: [{ ...firstArtifact(plain), content }] }));
      const whole = createHash('sha256');
      for await (const chunk of (await ask(standIn, await linkOf(standIn, plain))).body ?? []) whole.update(chunk);
      assert.equal(whole.digest('hex'), digestOf(content, 'sha256'));
      const far = bytesOf({ seed: 'huge', size: 5 * 1024 ** 3 });
      const [slice] = far.slices(far.size - 10, far.size);
      assert.equal(slice?.length, 10);
    });

    it('leads elsewhere when the artifact is said to be elsewhere', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild();
      const location = 'http://169.254.169.254/latest/meta-data/';
      const build = withJob(plain, { artifacts: [{ ...firstArtifact(plain), location }] });
      standIn.put(build);
      assert.equal(await linkOf(standIn, build), location);
    });
  });
});
