/**
 * `npm run accounted`: 100,000 deliveries with duplicates, in disorder and with losses, while receiver, worker and Redis
 * are killed; then every one of them is accounted for. Takes a quarter of an hour or more.
 *   npm run accounted -- 5000     so many
 * exit 0: all is accounted for · 1: what is not is printed · 64: no number
 */
import { accountedRun } from './accounted.ts';

const [words = '100000'] = process.argv.slice(2);
const deliveries = Number(words);
if (Number.isSafeInteger(deliveries) && deliveries >= 100) {
  const { faults, ...account } = await accountedRun({
    deliveries,
    onProgress: (done, what) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${done} ${what}`),
  });
  process.stdout.write(`${JSON.stringify(account)}\n`);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(faults.length === 0 ? 'all is accounted for\n' : `${faults.length} are not accounted for\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} else {
  process.stderr.write(`accounted: "${words}" is no number of deliveries from 100 on\n`);
  process.exitCode = 64;
}
