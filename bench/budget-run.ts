/** One run of a plan: an own origin, an own mirror, one webhook, and what it took. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BudgetAddress, Counts, Start } from './budget-origin.ts';
import { buildOf, type Plan, share } from './budget-plans.ts';
import { endChild, nextMessage, startScript } from './children.ts';
import { startMirror } from './mirror.ts';
import { root } from './stack.ts';

export interface Run {
  readonly seconds: number;
  readonly counts: Counts;
}

/** Looks at what the origin was asked this often. */
const watchMs = 1000;
/** So many links by REST, and none in bulk: the mirror does not go the plan's way. */
const linksToTell = 20;

/** @param folder for the mirror's data @returns why it could not be measured, where it could not */
export async function runPlan(plan: Plan, workers: number, folder: string, signal: AbortSignal): Promise<Run | string> {
  const document = plan.way.startsWith('portal') ? await portalDocument(signal) : null;
  if (document instanceof Error) return `kitemirror portal prints no document: ${document.message}`;
  const origin = startScript('budget-origin.ts');
  const home = mkdtempSync(join(folder, 'budget-'));
  try {
    const token = `bkpat_${randomBytes(27).toString('hex')}`;
    origin.send({ plan, token, document } satisfies Start);
    const address = await nextMessage<BudgetAddress>(origin, signal);
    const counts = async (): Promise<Counts> => {
      const told = nextMessage<Counts>(origin, signal);
      origin.send({});
      return told;
    };
    const settings = { ...wayOf(plan, address, token), KITEMIRROR_WORKERS: String(workers) };
    return await mirrorOnce(plan, home, address, settings, counts, signal);
  } finally {
    await endChild(origin);
    rmSync(home, { recursive: true, force: true });
  }
}

function wayOf(plan: Plan, address: BudgetAddress, token: string): Record<string, string> {
  const common = { KITEMIRROR_API_SHARE: String(share) };
  if (plan.way === 'rest') return { ...common, BUILDKITE_GRAPHQL: 'off' };
  if (plan.way === 'graphql') return { ...common, BUILDKITE_GRAPHQL: 'on' };
  const portal = { BUILDKITE_PORTAL_URL: address.portalUrl, BUILDKITE_PORTAL_TOKEN: token };
  return { ...common, ...portal, BUILDKITE_GRAPHQL: 'off' };
}

async function mirrorOnce(
  plan: Plan,
  home: string,
  address: BudgetAddress,
  settings: Record<string, string>,
  counts: () => Promise<Counts>,
  signal: AbortSignal,
): Promise<Run | string> {
  const done = new AbortController();
  const mirror = await startMirror(home, { address }, AbortSignal.any([signal, done.signal]), settings);
  try {
    const mirrored = mirror.mirror(buildOf(plan));
    // What it ends with is seen below, whichever of the two is first.
    mirrored.catch(() => undefined);
    const strayed = plan.way === 'rest' ? null : watch(counts, done.signal);
    const result = await Promise.race(strayed === null ? [mirrored] : [mirrored, strayed]);
    if (typeof result === 'string') return result;
    return { seconds: result / 1000, counts: await counts() };
  } finally {
    done.abort(new Error('the run is over'));
    await mirror.stop();
  }
}

/** @returns that the mirror asks REST for what the plan has it ask in bulk; never, where it does not */
function watch(counts: () => Promise<Counts>, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = async (): Promise<void> => {
      const { links, graphql, portal } = await counts();
      if (links > linksToTell && graphql + portal === 0) resolve('the mirror asked for each link by REST');
    };
    const timer = setInterval(() => void look().catch(reject), watchMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  });
}

async function portalDocument(signal: AbortSignal): Promise<string | Error> {
  try {
    const { stdout } = await promisify(execFile)(join(root, 'bin', 'kitemirror'), ['portal'], { signal });
    return stdout;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return new Error(text.split('\n').find((line) => line.startsWith('kitemirror:')) ?? text);
  }
}
