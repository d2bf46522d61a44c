/** Gauges that are read from their source when they are asked for. */
import { Gauge, type Registry } from 'prom-client';
import { toMirrorError } from '../errors.ts';
import type { Log } from '../log.ts';

/** A scrape ends after 10 s at Prometheus' end; a source that hangs must not take the others with it. */
const sourceTimeoutMs = 3000;

interface Sample<Label extends string> {
  readonly labels: Record<Label, string>;
  readonly value: number;
}

export function one(value: number): Sample<never>[] {
  return [{ labels: {}, value }];
}

/** Gauges that are read from their source at each scrape, in bounded time; a fault is logged when it begins, not at each scrape. */
export function sourcedGauges(registry: Registry, log: Log) {
  const failing = new Set<string>();
  return <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Promise<readonly Sample<Label>[]>,
  ): void => {
    const gauge = new Gauge({
      name: `kitemirror_${name}`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const samples = await within(sourceTimeoutMs, read()).catch((reason: unknown) => {
          if (!failing.has(name))
            log.info({ metric: name, error: toMirrorError(reason).message }, 'a metric has no value');
          failing.add(name);
          return null;
        });
        gauge.reset();
        if (samples !== null) failing.delete(name);
        for (const { labels, value } of samples ?? []) gauge.set(labels, value);
        // Without labels a reset leaves a 0, which would be a claim.
        if ((samples ?? []).length === 0 && labelNames.length === 0) gauge.remove();
      },
    });
  };
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no value within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** One call for all who ask while it runs: several gauges of one scrape share a source. */
export function joined<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () =>
    (running ??= read().finally(() => {
      running = null;
    }));
}
