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

/** Of these, no later line could be written either. A full disk has room again one day. */
const gone: ReadonlySet<string | undefined> = new Set(['EPIPE', 'EBADF']);

export function lineWriter(): LineWriter {
  let waiting: string[] = [];
  let length = 0;
  let hasLost = false;
  let isWriting = false;
  let isGone = false;
  /** What stdout would not take just now. */
  let refused: Buffer = Buffer.alloc(0);

  function take(): Buffer {
    const lines = hasLost ? [lossLine(), ...waiting] : waiting;
    [waiting, length, hasLost] = [[], 0, false];
    return Buffer.from(lines.join(''));
  }

  function writeFrom(bytes: Buffer, at: number): void {
    isWriting = true;
    refused = Buffer.alloc(0);
    write(stdout, bytes, at, bytes.length - at, null, (error, written) => {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') {
        refused = bytes.subarray(at);
        setTimeout(writeFrom, againMs, bytes, at);
      } else if (gone.has(errno) && error !== null) {
        isGone = true;
        take();
      } else if (error === null && at + written < bytes.length) {
        writeFrom(bytes, at + written);
      } else {
        isWriting = false;
        hasLost ||= error !== null;
        if (waiting.length > 0) writeFrom(take(), 0);
      }
    });
  }

  // What the system is writing at that moment goes out by itself.
  process.once('exit', () => {
    const rest = Buffer.concat([refused, take()]);
    try {
      for (let at = 0; at < rest.length; ) at += writeSync(stdout, rest, at);
    } catch {
      // Nobody reads it any more, or not now: there is nobody to tell.
    }
  });

  return {
    write: (line) => {
      if (isGone) return;
      if (length > mostWaiting) {
        hasLost = true;
        return;
      }
      waiting.push(line);
      length += line.length;
      if (!isWriting) writeFrom(take(), 0);
    },
  };
}

function lossLine(): string {
  const msg = 'lines of this log are lost: they could not be written, or nobody read them in time';
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), msg })}\n`;
}
