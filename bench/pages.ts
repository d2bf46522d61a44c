/**
 * What pages cost: a build published into a tree of 10², 10³, 10⁴ and 10⁵ others, the lists that people read, and a
 * search over as many.
 */
import { rm } from 'node:fs/promises';
import { notePageForm } from '../src/tree/page-form.ts';
import { type BenchContext, sizesOf } from './bench.ts';
import { type Row, type Spread, type Table } from './measure.ts';
import { answerRows, type Earlier } from './pages-answers.ts';
import { createPublisher } from './pages-publish.ts';
import { addBuilds, openTree } from './pages-tree.ts';
import { openPlace } from './places.ts';
import { organization } from './scale-builds.ts';
import { emptyUpstream, planStack } from './stack.ts';

const steps = [100, 1000, 10_000, 100_000] as const;
const target = 1.3;
const bytesPerBuild = 12_000;

export async function* pages(context: BenchContext): AsyncGenerator<Table> {
  const sizes = sizesOf(context.part) ?? steps;
  const place = openPlace('disk', 200e6 + Math.max(...sizes) * bytesPerBuild);
  if (typeof place === 'string') {
    yield { title: 'pages', facts: [`skipped: ${place}`], rows: [] };
    return;
  }
  context.cleanUp(() => place.remove());
  const upstream = await emptyUpstream(context);
  const tree = await openTree(place.folder);
  context.cleanUp(() => tree.close());
  const publisher = await createPublisher(context, tree);
  const earlier: Earlier = new Map();
  const mostMs = 120_000;
  let builds = 0;
  for (const size of sizes) {
    context.say(`pages: making ${size - builds} builds`);
    await addBuilds(tree, builds + 1, size, context.signal);
    const publish = await publisher.cost(size);
    builds = publish.builds;
    context.say(`pages: published among ${size} builds in ${publish.cost.median.toFixed(1)} ms`);
    const options = { signal: context.signal, readyWithinMs: mostMs };
    const planned = await planStack({ data: place.folder, organization, upstream, least: 'error' }, options);
    // No build of the bench has a record that its pages could be made of again: they count as made in this form.
    await notePageForm(tree.paths, { accounts: false, url: planned.url.replace(/\/$/, '') });
    await rm(tree.paths.rebuildDue, { force: true });
    const stack = await planned.start();
    try {
      const rows = await answerRows(planned.url, size, earlier);
      yield { title: `pages: among ${size} builds`, facts, rows: [publishRow(publish.cost, earlier), ...rows] };
    } finally {
      await stack.stop();
    }
  }
}

const facts = [
  'publish: `publishBuild` and `publishPipeline` of the worker, on a build of one job and ten artifacts; time of the processor',
  'pages and searches: by the clock, through Lighttpd; filters, further pages and searches are composed by the gateway',
];

function publishRow(value: Spread, earlier: Earlier): Row {
  const first = earlier.get('publish') ?? value.median;
  earlier.set('publish', first);
  const times = value.median / first;
  return {
    name: 'publish one more',
    unit: 'ms',
    value,
    note: `${times.toFixed(2)} x the first`,
    target: { text: `≤ ${target} × the first`, met: times <= target },
  };
}
