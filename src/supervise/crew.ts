/** The children of one stack: started together, ended in order, their deaths told. */
import { setTimeout as pause } from 'node:timers/promises';
import { MirrorError } from '../errors.ts';
import { type Child, startChild } from './child.ts';
import { type Printer, readable } from './lines.ts';
import type { Part } from './plan.ts';

export interface Crew {
  /** Starts all of these at once and waits until each is ready. Rows end in their order, before what was started earlier. */
  start(rows: readonly (readonly Part[])[], signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  kill(): void;
  pids(): Record<string, number>;
  readonly broken: Promise<MirrorError>;
}

export function createCrew(printer: Printer): Crew {
  const { promise: broken, resolve: breakDown } = Promise.withResolvers<MirrorError>();
  let stages: Child[][] = [];
  let ending: Promise<void> | undefined;

  function launch({ spec, translate }: Part): Child {
    const child: Child = startChild(spec, {
      line: (line) => printer.line(spec.name, translate?.(line) ?? line),
      killed: () => printer.say('warn', `${spec.name} did not end within ${spec.stopWithinMs / 1000} s and was killed`),
      died: (how, nextInMs) => {
        if (nextInMs === null) breakDown(new MirrorError('ERR_CONFIG', `${spec.name} cannot run:${tail(child)}`));
        else printer.say('error', `${spec.name} ended (${how}); it is started again in ${nextInMs / 1000} s`);
      },
    });
    return child;
  }

  async function stop(): Promise<void> {
    for (const stage of stages) await Promise.all(stage.map((child) => child.stop()));
  }

  return {
    broken,
    async start(rows, signal) {
      const launched = rows.map((row) => row.map((part) => ({ part, child: launch(part) })));
      stages = [...launched.map((row) => row.map(({ child }) => child)), ...stages];
      // One that fails for good ends the wait for the others.
      const failed = new AbortController();
      const until = AbortSignal.any([signal, failed.signal]);
      const waits = launched.flat().map(async ({ part, child }) => {
        const fault = await untilReady(part, child, until);
        if (fault !== null) failed.abort();
        return fault;
      });
      const outcome = await Promise.race([Promise.all(waits), broken]);
      failed.abort();
      if (outcome instanceof MirrorError) throw outcome;
      const faults = outcome.filter((fault) => fault !== null);
      if (faults.length > 0) throw new MirrorError('ERR_NOT_READY', faults.join('\n'));
    },
    stop: () => (ending ??= stop()),
    kill: () => stages.flat().forEach((child) => child.kill()),
    pids() {
      const found: Record<string, number> = {};
      for (const child of stages.flat()) {
        const pid = child.pid();
        if (pid !== undefined) found[child.name] = pid;
      }
      return found;
    },
  };
}

/** Before it was ever ready; who fails this often would go on so. */
const startsAllowed = 2;

/** @returns null once it is ready, else what it was waiting for when the signal came, with its last lines */
async function untilReady(part: Part, child: Child, signal: AbortSignal): Promise<string | null> {
  for (;;) {
    const waitsFor = await part.ready(child);
    // A port that it could not have is answered at by somebody else, who is ready of course.
    if (waitsFor === null && child.pid() !== undefined) return null;
    if (child.starts() > startsAllowed) return `${child.name} ends again and again:${tail(child)}`;
    if (signal.aborted) return `${child.name} is not ready: ${waitsFor ?? 'it is not running'}${tail(child)}`;
    await pause(20);
  }
}

function tail(child: Child): string {
  return child
    .lastLines()
    .map((line) => `\n    ${readable(line)}`)
    .join('');
}
