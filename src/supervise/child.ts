/** One program that is kept running: started, started again when it dies, and ended in order. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** How long it may take to end by itself after SIGTERM. */
  readonly stopWithinMs: number;
}

export interface ChildEvents {
  line(line: string): void;
  /** It ended without being asked to. `nextInMs`: when it is started again; null: never, it cannot run as it is configured. */
  died(how: string, nextInMs: number | null): void;
  /** It did not end in time and was killed. */
  killed(): void;
}

export interface Child {
  readonly name: string;
  /** The last lines it wrote, oldest first. */
  lastLines(): string[];
  pid(): number | undefined;
  /** How often it was started. */
  starts(): number;
  /** Asks it to end, waits, and kills what does not end in time. Never rejects. */
  stop(): Promise<void>;
  /** Kills it and all that it has started, now. */
  kill(signal?: NodeJS.Signals): void;
}

/** EX_CONFIG: a program that ends so would end so again. */
export const exitConfig = 78;

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** Who ran this long was well; a later death starts from the shortest pause again. */
const wellAfterMs = 30_000;
const keptLines = 12;
/** How long after its end a program's last words may still be on their way to us. */
const lastWordsMs = 300;

export function startChild(spec: ChildSpec, events: ChildEvents): Child {
  const lines: string[] = [];
  let current: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let pauseMs = firstPauseMs;
  let starts = 0;
  let stopping = false;

  function hear(line: string): void {
    if (line.trim() === '') return;
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
    events.line(line);
  }

  function start(): void {
    starts += 1;
    const startedAt = Date.now();
    const child = launch(spec, hear);
    current = child.process;
    ended = watch(child.ended, startedAt);
  }

  async function watch(end: Promise<Outcome>, startedAt: number): Promise<void> {
    const { code, how } = await end;
    current = undefined;
    if (stopping) return;
    if (code === exitConfig) {
      events.died(how, null);
      return;
    }
    if (Date.now() - startedAt > wellAfterMs) pauseMs = firstPauseMs;
    events.died(how, pauseMs);
    timer = setTimeout(start, pauseMs);
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  }

  function kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    stopping = true;
    clearTimeout(timer);
    if (current?.pid !== undefined) signalGroup(current.pid, signal);
  }

  async function stop(): Promise<void> {
    stopping = true;
    clearTimeout(timer);
    current?.kill('SIGTERM');
    const late = setTimeout(() => {
      events.killed();
      kill();
    }, spec.stopWithinMs);
    await ended;
    clearTimeout(late);
  }

  start();
  return { name: spec.name, lastLines: () => [...lines], pid: () => current?.pid, starts: () => starts, stop, kill };
}

interface Outcome {
  readonly code: number | null;
  readonly how: string;
}

/** A group of its own, so that a terminal's Ctrl-C reaches the supervisor alone; stdin tells it when we are gone. */
function launch(spec: ChildSpec, hear: (line: string) => void): { process: ChildProcess; ended: Promise<Outcome> } {
  const child = spawn(spec.command, spec.args, { env: spec.env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  // Nothing is ever written to it; a program that is gone before us breaks this pipe, which its end tells already.
  child.stdin.on('error', () => child.stdin.destroy());
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on('line', hear);
  const ended = new Promise<Outcome>((resolve) => {
    child.once('error', (error) => resolve({ code: null, how: error.message }));
    child.once('exit', (code, signal) => {
      const outcome = { code, how: signal === null ? `exit ${code}` : `killed by ${signal}` };
      const give = setTimeout(resolve, lastWordsMs, outcome);
      child.once('close', () => {
        clearTimeout(give);
        resolve(outcome);
      });
    });
  });
  return { process: child, ended };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: it has ended in this moment, which is all we want.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
