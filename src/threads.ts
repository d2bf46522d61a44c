/** Work beside the event loop: a few threads of one module, a short queue, a bound on each question's time and memory. */
import { parentPort, type Transferable, Worker } from 'node:worker_threads';
import { MirrorError } from './errors.ts';

export interface Threads<Question, Answer> {
  /**
   * @param ms that it may take once it is begun · @param transfer buffers that the thread gets and the caller loses
   * @throws MirrorError ERR_READER_BUSY where too many wait already, ERR_TREE_UNREADABLE where the thread has no answer, and why as its cause
   */
  ask(question: Question, ms: number, transfer?: readonly Transferable[]): Promise<Answer>;
  close(): Promise<void>;
}

export interface ThreadLimits {
  readonly threads: number;
  /** Questions beside those that are being answered. */
  readonly mostWaiting: number;
  /** MiB that a thread's objects may take; more ends it. */
  readonly memory: number;
}

type Reply<Answer> = { readonly answer: Answer } | { readonly fault: string };

interface Waiting<Question, Answer> {
  readonly question: Question;
  readonly ms: number;
  readonly transfer: readonly Transferable[];
  readonly done: (answer: Answer) => void;
  readonly failed: (error: MirrorError) => void;
}

/** @param module calls `answerQuestions`; it is loaded when the first question comes */
export function createThreads<Question, Answer>(module: URL, limits: ThreadLimits): Threads<Question, Answer> {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const waiting: Waiting<Question, Answer>[] = [];

  const begin = (): void => {
    if (waiting.length === 0) return;
    const thread = idle.pop() ?? (all.size < limits.threads ? start() : undefined);
    const next = thread === undefined ? undefined : waiting.shift();
    if (thread !== undefined && next !== undefined) give(thread, next);
  };
  const start = (): Worker => {
    const thread = new Worker(module, { resourceLimits: { maxOldGenerationSizeMb: limits.memory } });
    thread.unref();
    all.add(thread);
    return thread;
  };
  const give = (thread: Worker, { question, ms, transfer, done, failed }: Waiting<Question, Answer>): void => {
    const end = (isUsable: boolean): void => {
      clearTimeout(timer);
      thread.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit');
      if (isUsable) idle.push(thread);
      else {
        all.delete(thread);
        thread.on('error', () => undefined);
        void thread.terminate();
      }
      begin();
    };
    const giveUp = (why: string, cause?: unknown): void => {
      end(false);
      failed(new MirrorError('ERR_TREE_UNREADABLE', why, {}, cause));
    };
    const timer = setTimeout(() => giveUp(`it took longer than ${Math.round(ms / 1000)} s`), ms);
    thread.once('message', (reply: Reply<Answer>) => {
      end(true);
      if ('answer' in reply) done(reply.answer);
      // What the thread says may name files of this machine, and readers are told the message.
      else failed(new MirrorError('ERR_TREE_UNREADABLE', 'it cannot be read', {}, new Error(reply.fault)));
    });
    thread.once('error', (error) => {
      const isTooMuch = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      giveUp(isTooMuch ? 'it takes more memory than there is for it' : 'its thread broke', error);
    });
    thread.once('exit', () => giveUp('its thread has ended'));
    thread.postMessage(question, [...transfer]);
  };

  return {
    ask: (question, ms, transfer = []) =>
      new Promise((done, failed) => {
        if (waiting.length >= limits.mostWaiting) {
          failed(new MirrorError('ERR_READER_BUSY', 'many ask for the like now; try again in a moment'));
          return;
        }
        waiting.push({ question, ms, transfer, done, failed });
        begin();
      }),
    close: async () => {
      await Promise.all(Array.from(all, (thread) => thread.terminate()));
    },
  };
}

/** The other side, in the module: one answer for each question, in their order. */
export function answerQuestions<Question, Answer>(answer: (question: Question) => Answer | Promise<Answer>): void {
  const reply = async (question: Question): Promise<Reply<Answer>> => {
    try {
      return { answer: await answer(question) };
    } catch (fault) {
      return { fault: fault instanceof Error ? fault.message : String(fault) };
    }
  };
  parentPort?.on('message', (question: Question) => {
    void reply(question).then((answered) => parentPort?.postMessage(answered));
  });
}
