/** `space-writer.ts FOLDER BYTES`: reserves them of the folder's disk at the first line on stdin, and keeps them until it is ended. */
import { once } from 'node:events';
import { createSpace } from '../../src/tree/space.ts';

const [folder = '', bytes = ''] = process.argv.slice(2);
let isShort = false;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const space = createSpace(folder, 1024 * 1024, () => {
  if (!isShort) say('short');
  isShort = true;
});
say('ready');
await once(process.stdin, 'data');
// One that has waited for long asks again, as a task does.
for (let isPromised = false; !isPromised; ) {
  isPromised = await space.reserve(Number(bytes), AbortSignal.timeout(120_000)).then(
    () => true,
    () => false,
  );
}
say('promised');
