/** The thread that has the full-text index open, so that no search and no writing ever holds the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FullText, openFullText } from './fulltext.ts';
import type { Answer, Question, ThreadData } from './search.ts';

const { file, readOnly } = workerData as ThreadData;
let open: FullText | null = null;
let openedAt = 0;
/** The file may be made anew by somebody else. */
const maxAgeMs = 5000;
const cannotOpen = 14; // SQLITE_CANTOPEN

parentPort?.on('message', ({ id, call }: Question) => {
  const answer: Answer = { id, value: null, fault: null };
  try {
    const index = current();
    if (call.name === 'put') index?.put(call.document);
    else if (call.name === 'add') index?.add(call.documents);
    else if (call.name === 'remove') index?.remove(call.build);
    else if (call.name === 'scrub') index?.scrub();
    else if (call.name === 'missing') answer.value = index?.missing(call.builds) ?? call.builds;
    else answer.value = index?.find(call.question) ?? { results: [], next: null };
  } catch (thrown) {
    answer.fault = thrown instanceof Error ? thrown.message : String(thrown);
    open?.close();
    open = null;
  }
  parentPort?.postMessage(answer);
});

/** @returns null while there is no index to read */
function current(): FullText | null {
  if (open !== null && (!readOnly || Date.now() - openedAt < maxAgeMs)) return open;
  open?.close();
  open = null;
  try {
    const found = openFullText(file, { readOnly });
    if (found.isOurs()) [open, openedAt] = [found, Date.now()];
    else found.close();
  } catch (thrown) {
    if (!readOnly || !(thrown instanceof Error && 'errcode' in thrown && thrown.errcode === cannotOpen)) throw thrown;
  }
  return open;
}
