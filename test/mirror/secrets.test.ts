import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sampleBuilds } from '../../demo/samples/builds.ts';
import { people, plantedSecrets } from '../../demo/samples/team.ts';
import { securityToken } from '../../demo/standin/links.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import { type Mirror, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';

const apiToken = { ...defaultToken, scopes: [...defaultToken.scopes, 'write_pipelines'] };
const planted: Record<string, string> = {
  ...plantedSecrets,
  apiToken: apiToken.token,
  storageToken: securityToken.slice(0, 40),
  signature: 'X-Amz-Signature',
};

let mirror: Mirror;
before(async () => {
  // A token that may write pipelines is shown their webhook addresses; the log tells all there is to tell.
  mirror = await startMirror({ standIn: { tokens: [apiToken] }, env: { KITEMIRROR_LOG_LEVEL: 'debug' } });
  const builds = [...samples(), troubled()];
  for (const build of builds) mirror.standIn.put(build);
  for (const at of ['api', 'storage'] as const) {
    mirror.standIn.faults.add({ at, path: /./, kind: 'status', status: 500, after: 30, times: 3 });
    mirror.standIn.faults.add({ at, path: /./, kind: 'reset', after: 60, times: 3 });
  }
  for (const build of builds) await mirror.tell(build);
  for (const build of builds) await mirror.settled(build);
  // These fail for good, so that Redis and the log have all that is said of a failure.
  const failing = [buildOf([[textArtifact('wrong.bin', 'x')]]), buildOf([[textArtifact('away.bin', 'x')]])];
  mirror.standIn.faults.add({ at: 'storage', path: 'wrong.bin', kind: 'corrupt', times: 1000 });
  mirror.standIn.faults.add({ at: 'storage', path: 'away.bin', kind: 'expired', times: 1000 });
  for (const build of failing) mirror.standIn.put(build);
  for (const build of failing) await mirror.tell(build);
  for (const build of failing) {
    await mirror.jobRecord(build, scriptOf(build).id, ({ artifacts }) => artifacts[0]?.state === 'failed');
  }
});
after(() => mirror.stop());

function samples(): SampleBuild[] {
  const author = { ...people.mira, name: `Mira Okafor <${plantedSecrets.email}>` };
  const secrets = { env: { TOKEN: plantedSecrets.buildEnv }, metaData: { key: plantedSecrets.metaData }, author };
  const all = sampleBuilds({ now: Date.now() }).filter(({ pipeline }) => pipeline.slug === 'web');
  return all.slice(0, 3).map((build) => ({ ...build, ...secrets }));
}

/** Downloads that fail in ways that are put on record. */
function troubled(): SampleBuild {
  const login = `http://someone:${planted['apiToken']}@storage.example/?X-Amz-Signature=1`;
  return buildOf([
    [
      textArtifact('elsewhere.bin', 'x', { location: 'http://storage.example/?X-Amz-Signature=1' }),
      textArtifact('login.bin', 'x', { location: login }),
    ],
  ]);
}

/** Which of the secrets a text has, by what they are called. */
const found = (text: string): string[] => Object.keys(planted).filter((name) => text.includes(planted[name] ?? ''));

describe('what upstream shows and nobody may keep', () => {
  it('was shown: the samples hold it', async () => {
    const address = mirror.standIn.address.apiUrl;
    const [build] = samples();
    const answer = await fetch(`${address}/v2/organizations/acme/pipelines/web/builds/${build?.number}`, {
      headers: { authorization: `Bearer ${apiToken.token}` },
    });
    const text = await answer.text();
    assert.deepEqual(found(text).toSorted(), [
      'buildEnv',
      'configuration',
      'email',
      'metaData',
      'pipelineEnv',
      'webhookUrl',
    ]);
  });

  it('is nowhere below the data folder', async () => {
    const entries = await readdir(mirror.paths.root, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    assert.ok(files.length > 100, `${files.length} files`);
    for (const file of files) {
      // What is written anew now and then may have been moved into its place since the folder was read.
      if (!existsSync(file)) continue;
      const hits = found(readFileSync(file, 'latin1')).concat(found(file));
      assert.deepEqual(hits, [], file);
    }
  });

  it('is not in what the worker logs', () => {
    assert.ok(mirror.output.length > 3);
    assert.deepEqual(found(mirror.output.join('\n')), []);
  });

  it('is not in Redis', async () => {
    const { client } = mirror.redis;
    const keys = await client.keys('*');
    assert.ok(keys.length > 3);
    for (const key of keys) assert.deepEqual(found(`${key} ${await dump(key)}`), [], key);
  });
});

async function dump(key: string): Promise<string> {
  const { client } = mirror.redis;
  switch (await client.type(key)) {
    case 'string':
      return (await client.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await client.hgetall(key));
    case 'list':
      return JSON.stringify(await client.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await client.smembers(key));
    case 'zset':
      return JSON.stringify(await client.zrange(key, '0', '-1'));
    case 'stream':
      return JSON.stringify(await client.xrange(key, '-', '+'));
    default:
      return '';
  }
}
