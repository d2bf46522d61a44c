import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { GlobalSources } from '../../src/metrics/globals.ts';
import { receiverMetrics } from '../../src/metrics/receiver.ts';
import { processMetrics, type Readiness, serveMetrics } from '../../src/metrics/serve.ts';
import { workerMetrics } from '../../src/metrics/worker.ts';

let lines: string[];
let registry: Registry;
const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
const away = async (): Promise<never> => {
  throw new Error('away');
};
const sources: GlobalSources = {
  tasks: async () => [{ queue: 'live', state: 'waiting', count: 3 }],
  budgets: async () => [{ api: 'rest', scope: 'user', remaining: 40 }],
  gaps: async () => ({ unsettled: 2, oldestSince: Date.now() - 60_000 }),
  totals: async () => ({ incomplete: 1, lost: 4, logicalBytes: 100, storedBytes: 60 }),
  diskFreeBytes: async () => 12_345,
  reconciledAt: async () => Date.now() - 60_000,
  webhookHealthy: async () => true,
  grantsRightAt: async () => Date.now() - 45_000,
  journalEntries: () => 7,
};

beforeEach(() => {
  lines = [];
  registry = new Registry();
});

afterEach(() => registry.clear());

/** The samples of our own metrics, without histogram buckets. */
async function samples(): Promise<Record<string, number>> {
  const text = await registry.metrics();
  const own = text.split('\n').filter((line) => line.startsWith('kitemirror_') && !line.includes('_bucket'));
  return Object.fromEntries(own.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

describe('the receiver’s metrics', () => {
  it('are the contract’s, with the values of their sources', async () => {
    const metrics = receiverMetrics(registry, sources, log);
    metrics.delivered('ping', 'ping', 0.25);
    const { kitemirror_oldest_gap_seconds: gap, kitemirror_reconcile_age_seconds: age, ...rest } = await samples();
    for (const seconds of [gap, age]) assert.ok(seconds !== undefined && seconds >= 60 && seconds < 70);
    const { kitemirror_grants_age_seconds: grants, ...found } = rest;
    assert.ok(grants !== undefined && grants >= 45 && grants < 55);
    assert.deepEqual(found, {
      'kitemirror_deliveries_total{event="ping",outcome="ping"}': 1,
      kitemirror_delivery_seconds_sum: 0.25,
      kitemirror_delivery_seconds_count: 1,
      kitemirror_journal_entries: 7,
      'kitemirror_tasks{queue="live",state="waiting"}': 3,
      'kitemirror_upstream_budget_remaining{api="rest",scope="user"}': 40,
      kitemirror_builds_unsettled: 2,
      kitemirror_builds_incomplete: 1,
      kitemirror_artifacts_lost: 4,
      'kitemirror_tree_bytes{kind="logical"}': 100,
      'kitemirror_tree_bytes{kind="stored"}': 60,
      kitemirror_webhook_healthy: 1,
      kitemirror_disk_free_bytes: 12_345,
    });
  });

  it('have no value, not an old one and not 0, while their source fails; and say so once', async () => {
    const changing = { ...sources };
    receiverMetrics(registry, changing, log);
    await samples();
    Object.assign(changing, { tasks: away, budgets: away, totals: away, gaps: away });
    Object.assign(changing, { reconciledAt: away, webhookHealthy: away, grantsRightAt: away });
    await samples();
    const found = Object.keys(await samples()).filter((name) => !name.startsWith('kitemirror_deliver'));
    assert.deepEqual(found, ['kitemirror_journal_entries', 'kitemirror_disk_free_bytes']);
    assert.equal(lines.length, 10);
    Object.assign(changing, sources);
    assert.equal((await samples())['kitemirror_builds_unsettled'], 2);
  });

  it('do not wait for a source that hangs longer than a scrape can', async () => {
    receiverMetrics(registry, { ...sources, tasks: () => new Promise(() => undefined) }, log);
    const found = await samples();
    assert.equal(found['kitemirror_tasks{queue="live",state="waiting"}'], undefined);
    assert.equal(found['kitemirror_disk_free_bytes'], 12_345);
  });

  it('ask a source once for all that it tells', async () => {
    let asked = 0;
    const totals = async () => {
      asked += 1;
      return sources.totals();
    };
    receiverMetrics(registry, { ...sources, totals }, log);
    await samples();
    assert.equal(asked, 1);
  });

  it('say 0 seconds while no build waits', async () => {
    receiverMetrics(registry, { ...sources, gaps: async () => ({ unsettled: 0, oldestSince: null }) }, log);
    assert.equal((await samples())['kitemirror_oldest_gap_seconds'], 0);
  });
});

describe('the metrics port', () => {
  async function ask(path: string, readiness: Readiness, method = 'GET'): Promise<Response> {
    const server = await serveMetrics(registry, { host: '127.0.0.1', port: 0 }, { readyz: async () => readiness });
    try {
      assert.ok('port' in server.address);
      const answer = await fetch(`http://127.0.0.1:${server.address.port}${path}`, { method });
      const text = await answer.text();
      return new Response(text === '' ? null : text, { status: answer.status, headers: answer.headers });
    } finally {
      await server.close();
    }
  }
  const ready = { ready: true, checks: { journal: 'ok' } };

  it('serves what Prometheus reads', async () => {
    receiverMetrics(registry, sources, log);
    const answer = await ask('/metrics', ready);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(await answer.text(), /^kitemirror_builds_unsettled 2$/m);
  });

  it('tells what readiness consists of', async () => {
    const well = await ask('/readyz', ready);
    assert.equal(well.status, 200);
    assert.deepEqual(await well.json(), { status: 'ready', checks: { journal: 'ok' } });
    const ill = await ask('/readyz', { ready: false, checks: { journal: 'no room' } });
    assert.equal(ill.status, 503);
    assert.deepEqual(await ill.json(), { status: 'unready', checks: { journal: 'no room' } });
  });

  it('has nothing else', async () => {
    for (const [path, method] of [
      ['/', 'GET'],
      ['/metrics/', 'GET'],
      ['/metrics', 'POST'],
    ] as const) {
      const answer = await ask(path, ready, method);
      assert.equal(answer.status, 404);
      assert.equal(((await answer.json()) as { error: string }).error, 'ERR_NOT_FOUND');
    }
  });
});

const promtool = spawnSync('promtool', ['--version']).error === undefined;

it('all metrics pass Prometheus’ own linter', { skip: !promtool && 'promtool is not installed' }, async () => {
  processMetrics(registry);
  receiverMetrics(registry, sources, log).delivered('other', 'ignored', 0.1);
  const worker = workerMetrics(registry);
  worker.taskSeconds.observe({ task: 'read-build', outcome: 'done' }, 1);
  worker.taskFailures.inc({ task: 'read-build', code: 'ERR_INTERNAL' });
  worker.upstreamRequests.inc({ api: 'rest', purpose: 'build', status: '200' });
  worker.artifacts.inc({ outcome: 'present' });
  worker.reconciled.inc({ outcome: 'complete' });
  const check = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  check.stdin.end(await registry.metrics());
  const complaints = [check.stdout, check.stderr].map((output) => output.setEncoding('utf8').toArray());
  const [code] = (await once(check, 'close')) as [number];
  assert.equal((await Promise.all(complaints)).flat().join(''), '');
  assert.equal(code, 0);
});
