/** A server that sends no faster than it is told: on each connection, or on all of them together. */
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface Pace {
  readonly bytesPerSecond: number;
  /** Whether all answers that are given this pace share it. */
  readonly isShared: boolean;
}

/** What a timer that comes late has missed is caught up with, up to so much. */
const catchUpMs = 500;

/** @returns what slows an answer down that has not begun */
export function createPace({ bytesPerSecond, isShared }: Pace): (response: ServerResponse) => void {
  let shared = 0;
  return (response) => {
    const [write, end] = [response.write.bind(response), response.end.bind(response)];
    let own = 0;
    let last = Promise.resolve();
    const passOn = async (earlier: Promise<void>, chunk: Buffer, due: number): Promise<void> => {
      await earlier;
      await pause(Math.max(0, due - performance.now()));
      if (response.destroyed) return;
      write(chunk);
      response.emit('drain');
    };
    response.write = ((chunk: Buffer) => {
      const after = Math.max(performance.now() - catchUpMs, isShared ? shared : own);
      const due = after + (chunk.length / bytesPerSecond) * 1000;
      own = due;
      shared = due;
      last = passOn(last, chunk, due);
      return false;
    }) as ServerResponse['write'];
    response.end = ((...rest: unknown[]) => {
      void last.then(() => end(...(rest as [])));
      return response;
    }) as ServerResponse['end'];
  };
}
