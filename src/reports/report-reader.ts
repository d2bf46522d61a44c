/** Reads test reports and coverage beside the event loop: what others' tools wrote may be large, and made to be costly. */
import { MirrorError } from '../errors.ts';
import { createThreads } from '../threads.ts';
import type { Coverage } from './coverage.ts';
import type { TestReport } from './junit.ts';

export interface ReportQuestion {
  readonly format: 'junit' | 'lcov' | 'cobertura';
  readonly bytes: Uint8Array;
}

export interface ReportReader {
  /** @returns null where it is none, or where it cannot be read within bounds @throws MirrorError ERR_READER_BUSY */
  junit(bytes: Uint8Array): Promise<TestReport | null>;
  /** Likewise. */
  coverage(format: 'lcov' | 'cobertura', bytes: Uint8Array): Promise<Coverage | null>;
  close(): Promise<void>;
}

const limits = { threads: 2, mostWaiting: 16, memory: 1024 };
const patienceMs = 20_000;

export function createReportReader(ms = patienceMs): ReportReader {
  const module = new URL('./report-thread.ts', import.meta.url);
  const threads = createThreads<ReportQuestion, TestReport | Coverage | null>(module, limits);
  const read = async (format: ReportQuestion['format'], bytes: Uint8Array) => {
    // A buffer of Node's may be a part of one that others use.
    const copy = new Uint8Array(bytes);
    try {
      return await threads.ask({ format, bytes: copy }, ms, [copy.buffer]);
    } catch (thrown) {
      if (thrown instanceof MirrorError && thrown.code === 'ERR_TREE_UNREADABLE') return null;
      throw thrown;
    }
  };
  return {
    junit: async (bytes) => (await read('junit', bytes)) as TestReport | null,
    coverage: async (format, bytes) => (await read(format, bytes)) as Coverage | null,
    close: () => threads.close(),
  };
}
