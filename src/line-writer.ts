/**
 * Lines to stdout, in order, without waiting for who reads them: a reader that stalls must not stall the program, and one that
 * is gone must not keep it from ending. (pino's own destination does the first; sonic-boom 4.2.1 fails the second: at a
 * program's end it tries for ever to write what is left.)
 */
import { write, writeSync } from 'node:fs';
import { errnoOf } from './errors.ts';

export interface LineWriter {
  write(line: string): void;
}

const stdout = 1;
/** More than this, in characters, is not kept for a reader that stalls. */
const mostWaiting = 16 * 1024 * 1024;
const againMs = 20;

export function lineWriter(): LineWriter {
  let waiting: string[] = [];
  let length = 0;
  let isWriting = false;
  let isGone = false;

  function take(): Buffer {
    const bytes = Buffer.from(waiting.join(''));
    [waiting, length] = [[], 0];
    return bytes;
  }

  function writeFrom(bytes: Buffer, at: number): void {
    isWriting = true;
    write(stdout, bytes, at, bytes.length - at, null, (error, written) => {
      if (errnoOf(error) === 'EAGAIN') {
        setTimeout(writeFrom, againMs, bytes, at);
      } else if (error !== null) {
        isGone = true;
        take();
      } else if (at + written < bytes.length) {
        writeFrom(bytes, at + written);
      } else {
        isWriting = false;
        if (waiting.length > 0) writeFrom(take(), 0);
      }
    });
  }

  // What is being written at that moment goes out by itself.
  process.once('exit', () => {
    const rest = take();
    try {
      for (let at = 0; at < rest.length; ) at += writeSync(stdout, rest, at);
    } catch {
      // Nobody reads it any more, or not now: there is nobody to tell.
    }
  });

  return {
    write: (line) => {
      if (isGone || length > mostWaiting) return;
      waiting.push(line);
      length += line.length;
      if (!isWriting) writeFrom(take(), 0);
    },
  };
}
