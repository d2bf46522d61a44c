/** Process: the stand-in's API without limits. Shows the builds that it is sent; each job has a short log. */
import type { SampleBuild } from '../demo/standin/sample.ts';
import { createStandIn } from '../demo/standin/server.ts';

const log = { content: Buffer.from('make\n'.repeat(400)) };

const standIn = createStandIn({ limits: null, recording: false });
const { apiUrl } = await standIn.start();
process.on('message', (build: SampleBuild) => {
  standIn.put({ ...build, jobs: build.jobs.map((job) => ('log' in job ? { ...job, log } : job)) });
  process.send?.({ build: build.id });
});
// Who started it is gone.
process.on('disconnect', () => process.exit());
process.send?.({ apiPort: Number(new URL(apiUrl).port) });
