/**
 * (budget) How near the mirror comes to what upstream's limits allow, and how many requests that takes: all links of a
 * build by REST, by GraphQL, by a portal, with one worker process and with several.
 */
import type { BenchContext } from './bench.ts';
import type { Best } from './budget-arithmetic.ts';
import { bestOf, type Plan, plans, scaledLimits, share } from './budget-plans.ts';
import { type Run, runPlan } from './budget-run.ts';
import type { Row, Table } from './measure.ts';
import { openPlace } from './places.ts';

const slower = 1.15;
/** One in so many requests may be refused for its limit. */
const refusedOneIn = 500;
/** What starts and stops around a run. */
const aroundSeconds = 15;

/** Ten thousand small files take a block each, and their records. */
const roomBytes = 512e6;

export async function* budget(context: BenchContext): AsyncGenerator<Table> {
  const chosen = choose(context.part);
  const folder = workFolder(context);
  context.say(lengthOf(chosen));
  for (const plan of chosen) {
    const best = bestOf(plan);
    const rows: Row[] = [];
    for (const workers of plan.workers) {
      context.say(`${titleOf(plan)}, ${nameOf(workers)}: begins; at best ${best.seconds} s`);
      const run = await runPlan(plan, workers, folder, context.signal);
      const said = typeof run === 'string' ? run : `${run.seconds.toFixed(1)} s, ${JSON.stringify(run.counts)}`;
      context.say(`${titleOf(plan)}, ${nameOf(workers)}: ${said}`);
      rows.push(...(typeof run === 'string' ? [absent(workers, run)] : rowsOf(plan, best, workers, run)));
      // Which way the mirror goes does not hang on the number of its workers.
      if (typeof run === 'string') break;
    }
    yield { title: titleOf(plan), facts: factsOf(plan, best), rows };
  }
}

/** @param part `<plan>` or `<plan>/<workers>`; empty: all of them @throws Error naming the plans */
function choose(part: string): readonly Plan[] {
  const [id, count] = part.split('/');
  const found = plans.filter((plan) => id === '' || plan.id === id);
  const workers = count === undefined ? null : Number(count);
  if (found.length === 0 || (workers !== null && !(Number.isInteger(workers) && workers > 0 && workers <= 64)))
    throw new Error(`budget/${part} is no plan: budget/<${plans.map((plan) => plan.id).join('|')}>[/<workers>]`);
  return workers === null ? found : found.map((plan) => ({ ...plan, workers: [workers] }));
}

/** Windows are waited for as they are: who starts it should know. */
function lengthOf(chosen: readonly Plan[]): string {
  const runs = chosen.flatMap((plan) => plan.workers.map(() => bestOf(plan).seconds));
  const seconds = runs.reduce((sum, best) => sum + best + aroundSeconds, 0);
  return `budget: ${runs.length} runs, about ${Math.ceil(seconds / 60)} min: upstream's windows pass while they last`;
}

/** In memory where that can be had: the disk is not what is measured. */
function workFolder(context: BenchContext): string {
  const memory = openPlace('memory', roomBytes);
  const place = typeof memory === 'string' ? openPlace('disk', roomBytes) : memory;
  if (typeof place === 'string') throw new Error(place);
  context.cleanUp(() => place.remove());
  return place.folder;
}

function titleOf({ name, jobs, perJob }: Plan): string {
  return `budget: ${jobs * perJob} artifacts in ${jobs} jobs, ${name}`;
}

function factsOf(plan: Plan, { seconds, because }: Best): string[] {
  const { faster, more } = plan;
  const { limits } = scaledLimits(plan);
  const scale = [`upstream's windows pass ${faster} × faster than the documented ones`];
  if (more !== 1) scale.push(`and hold ${more} × as many REST requests (${limits.user} of a user)`);
  const real = seconds * faster * (plan.way === 'rest' ? more : 1);
  return [
    `${scale.join(' ')}; our share is ${share}`,
    `optimum: ${because} = ${seconds} s (about ${(real / 60).toFixed(0)} min at the documented limits); no time for work`,
  ];
}

function absent(workers: number, note: string): Row {
  return { name: nameOf(workers), unit: 's', note };
}

function nameOf(workers: number): string {
  return `${workers} worker${workers === 1 ? '' : 's'}`;
}

function rowsOf(plan: Plan, best: Best, workers: number, { seconds, counts }: Run): Row[] {
  const artifacts = plan.jobs * plan.perJob;
  const requests = counts.rest + counts.graphql + counts.portal;
  const refused = Math.floor(requests / refusedOneIn);
  const ratio = seconds / best.seconds;
  const kinds = `${counts.rest} REST, ${counts.graphql} GraphQL, ${counts.portal} portal; ${counts.points} points`;
  const one = (value: number) => ({ median: value, least: value, most: value });
  return [
    {
      name: `${nameOf(workers)}: webhook to published`,
      unit: 's',
      value: one(seconds),
      note: `(${ratio.toFixed(2)} × the optimum)`,
      ...(plan.isTimed ? { target: { text: `at most ${slower} × the optimum`, met: ratio <= slower } } : {}),
    },
    {
      name: '  requests of all kinds',
      unit: 'requests',
      value: one(requests),
      note: `(${(requests / artifacts).toFixed(4)} an artifact: ${kinds})`,
      ...(plan.most === undefined ? {} : { target: { text: `at most ${plan.most}`, met: requests <= plan.most } }),
    },
    {
      name: '  answered 429',
      unit: 'requests',
      value: one(counts.limited),
      target: { text: `at most ${refused} (1 in ${refusedOneIn})`, met: counts.limited <= refused },
    },
  ];
}
