/** A process to be killed: appends hints to the journal in argv[2], and prints each build that was acknowledged. */
import { pino } from 'pino';
import { openJournal } from '../../src/tree/journal.ts';
import { hintOf } from './hints.ts';

const journal = await openJournal(process.argv[2] ?? '', { log: pino({ level: 'silent' }), segmentBytes: 64 * 1024 });
const forever = async (): Promise<never> => {
  for (;;) {
    const hint = hintOf();
    await journal.append(hint);
    process.stdout.write(`${hint.build}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, forever));
