/** The least that can be said to receive: Express, the raw body, the signature, 202. Nothing is kept. */
import { verify } from '@octokit/webhooks-methods';
import express from 'express';

const [socket = '', token = ''] = process.argv.slice(2);
const app = express();
app.post('/-/webhooks/buildkite', express.raw({ limit: '5mb', type: () => true }), async (request, response) => {
  const signature = String(request.headers['x-buildkite-signature'] ?? '');
  const [, time = '', digest = ''] = /^timestamp=(\d+),signature=([0-9a-f]{64})$/.exec(signature) ?? [];
  const isGenuine = await verify(token, `${time}.${String(request.body)}`, `sha256=${digest}`);
  response.status(isGenuine ? 202 : 401).json({ delivery: 'none' });
});
app.listen(socket, () => process.stdout.write('receiver ready\n'));
