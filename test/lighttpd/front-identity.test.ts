/** Whoever starts Lighttpd tells it from another program that answers on its port. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { it } from 'node:test';
import { probe } from '../../src/supervise/ready.ts';
import { readIfPresent } from '../../src/tree/files.ts';
import { ask } from './ask.ts';
import { startSite } from './site.ts';

const path = '/-/healthz';

it('a stranger that answers as Lighttpd would is not taken for it, and neither is the Lighttpd of another data folder', async () => {
  const [site, other] = [await startSite(), await startSite()];
  const stranger = createServer((_, response) => response.end('ok\n')).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  try {
    const identity = (): Promise<string | null> => readIfPresent(join(site.paths.root, 'run', 'front-id'));
    const see = (port: number, who: typeof identity): Promise<string | null> => {
      const at = { host: '127.0.0.1', port };
      return probe({ at, path, host: `127.0.0.1:${port}`, identity: who });
    };
    assert.equal(await see(site.port, identity), null);
    const { port } = stranger.address() as AddressInfo;
    assert.equal(await see(port, identity), `another program answers at 127.0.0.1:${port}`);
    assert.match((await see(other.port, identity)) ?? '', /^another program answers/);
    assert.match(
      (await see(site.port, async () => null)) ?? '',
      /^another program answers/,
      'before ours has said who it is',
    );
    const answer = await ask(site.port, path);
    assert.deepEqual([answer.status, answer.text], [200, 'ok\n']);
    assert.match(String(answer.headers['x-kitemirror-front']), /^[0-9a-f]{24}$/);
  } finally {
    stranger.close();
    await Promise.all([site.close(), other.close()]);
  }
});
