/** The metrics' own port, for Prometheus and operators, and the metrics that each program has. */
import type { ServerResponse } from 'node:http';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import type { Listen } from '../config/values.ts';
import { MirrorError } from '../errors.ts';
import { createHttpServer, type Listening, listen, sendError, sendJson } from '../http.ts';

/** prom-client's own process metrics, but for gauges that are called `_total` (Prometheus' linter refuses them). */
export function processMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const kind of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  }
}

export interface Readiness {
  readonly ready: boolean;
  /** What was looked at → `ok`, or what is wrong with it. */
  readonly checks: Readonly<Record<string, string>>;
}

/** `GET /metrics` and `GET /readyz` (details as JSON, 200 or 503), for Prometheus and operators; never public. */
export async function serveMetrics(
  registry: Registry,
  at: Listen,
  { readyz }: { readyz: () => Readiness | Promise<Readiness> },
): Promise<Listening> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    if (path === '/metrics') {
      const text = await registry.metrics();
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(text);
    } else if (path === '/readyz') {
      const { ready, checks } = await readyz();
      sendJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'unready', checks });
    } else {
      throw new MirrorError('ERR_NOT_FOUND', 'nothing here; there are /metrics and /readyz');
    }
  };
  const server = createHttpServer((request, response) => {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const path = (request.url ?? '').split('?')[0] ?? '';
    answer(reads ? path : '', response).catch((thrown: unknown) => sendError(response, thrown));
  });
  return listen(server, at);
}
