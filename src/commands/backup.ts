/** `kitemirror backup FOLDER`: a copy of what cannot be made again, while the mirror runs. */
import { formatBytes, formatCount } from '../pages/format.ts';
import { backUp } from '../tree/backup.ts';
import { type Command, exit, sayJson } from './command.ts';
import { openPaths } from './parts.ts';
import { startProgress } from './progress.ts';

export const backup: Command = {
  name: 'backup',
  summary: 'copies state, records and blobs while the mirror runs',
  usage: 'FOLDER [--json]',
  help: `Copies state/, the journal, the records and the blobs to FOLDER, which is empty or an earlier backup (then only what is new is
copied, and what is gone here is removed there, but for whole blobs that a disk has damaged here). To restore, put the folder in the
place of KITEMIRROR_DATA and start: names of files, views, pages and lists are made again from the records before anything is swept.
--json: {"folder":"…","files":0,"bytes":0,"removed":0}
exit 0: all is copied · 1: broken off; the next call goes on · 64: no folder was named, or one that is no place for it`,
  takesWords: true,
  changes: () => false,
  run: async (context) => {
    const { io, words, values, signal } = context;
    const [folder] = words;
    if (folder === undefined || words.length > 1) {
      io.note('kitemirror backup: name one folder');
      return exit.usage;
    }
    const progress = startProgress(io, { unit: 'files' });
    const onProgress = (files: number, bytes: number): void => progress.at(files, null, formatBytes(bytes));
    const done = await backUp(openPaths(context), folder, { signal, onProgress });
    progress.end();
    if (values['json'] === true) sayJson(io, { folder, ...done });
    else io.say(`${formatCount(done.files)} files, ${formatBytes(done.bytes)}, copied to ${folder}`);
    return exit.ok;
  },
};
