/** All programs of `npm start` on a data folder of a bench's own. */
import { join } from 'node:path';
import { type DemoSettings, demoSettings } from '../demo/settings.ts';
import type { StandInAddress } from '../demo/standin/standin.ts';
import { readEnv } from '../src/config.ts';
import { createPrinter } from '../src/supervise/lines.ts';
import { type Stack, type StackOptions, startStack } from '../src/supervise/stack.ts';
import type { BenchContext } from './bench.ts';
import { endChild, nextMessage, startScript } from './children.ts';

export const root = join(import.meta.dirname, '..');

/** A stack that is still to be started, so that its start can be measured. */
export interface PlannedStack extends DemoSettings {
  start(): Promise<Stack>;
}

export interface PlannedAs {
  readonly data: string;
  readonly organization: string;
  readonly upstream: StandInAddress;
  /** Settings besides the usual ones, or instead of them. */
  readonly more?: NodeJS.ProcessEnv;
  /** The least of what the programs say that is shown. */
  readonly least: 'warn' | 'error';
}

export async function planStack(
  { data, organization, upstream, more = {}, least }: PlannedAs,
  options: Pick<StackOptions, 'signal' | 'readyWithinMs'>,
): Promise<PlannedStack> {
  const settings = await demoSettings(readEnv(root), data, organization, upstream);
  const env = { ...settings.env, KITEMIRROR_MIN_FREE: '1', KITEMIRROR_LOG_LEVEL: least, ...more };
  const write = (line: string): void => void process.stderr.write(`${line}\n`);
  const printer = createPrinter({ write, format: 'text', color: false, least });
  return { ...settings, env, start: () => startStack({ root, env, printer, ...options }) };
}

/** The stand-in's API in a process of its own, which shows no build; ended with the bench. */
export async function emptyUpstream({ signal, cleanUp }: BenchContext): Promise<StandInAddress> {
  const api = startScript('origin-api.ts');
  cleanUp(() => endChild(api));
  const { apiPort } = await nextMessage<{ apiPort: number }>(api, signal);
  const host = `127.0.0.1:${apiPort}`;
  const url = `http://${host}`;
  return { apiUrl: url, graphqlUrl: `${url}/v1`, storageUrl: url, storageHost: host };
}
