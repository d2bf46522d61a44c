/**
 * A stand-in for Buildkite: its REST API v2 and its artifact storage, two HTTP servers on this machine's loopback. Shows
 * the builds that it is given, with Buildkite's own tokens, limits, links that expire, and faults on request.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Behaviour } from './call.ts';
import { exchange, type Origin } from './exchange.ts';
import { Faults } from './faults.ts';
import { documentedLimits, Limiter, type Limits } from './limits.ts';
import type { SeenRequest, Side, StandIn, StandInAddress, StandInOptions } from './standin.ts';
import { defaultToken } from './tokens.ts';
import { Upstream } from './upstream.ts';

const noLimits: Limits = { organization: null, user: null, windowMs: 60_000 };

export function createStandIn(options: StandInOptions = {}): StandIn {
  const requests: SeenRequest[] = [];
  const upstream = new Upstream();
  const faults = new Faults();
  const now = options.now ?? Date.now;
  const limiter = new Limiter(options.limits === undefined ? documentedLimits : (options.limits ?? noLimits), now);
  const api = {
    upstream,
    behaviour: behaviourOf(options),
    tokens: options.tokens ?? [defaultToken],
    limiter,
    webhookIps: options.webhookIps ?? ['127.0.0.0/8', '192.0.2.12'],
    apiUrl: '',
    storageUrl: '',
    now,
  };
  const latency = { apiMs: 0, storageMs: 0, ...options.latency };
  const origin: Origin = { api, faults, latency, requests: options.recording === false ? null : requests };
  const ports = { api: options.apiPort ?? 0, storage: options.storagePort ?? 0 };
  let servers: Server[] = [];

  const address = (): StandInAddress => ({
    apiUrl: api.apiUrl,
    storageUrl: api.storageUrl,
    storageHost: api.storageUrl.replace('http://', ''),
  });
  const start = async (): Promise<StandInAddress> => {
    const [apiServer, storageServer] = [serverOf(origin, 'api'), serverOf(origin, 'storage')];
    servers = [apiServer, storageServer];
    ports.api = await listen(apiServer, ports.api);
    ports.storage = await listen(storageServer, ports.storage);
    api.apiUrl = `http://127.0.0.1:${ports.api}`;
    api.storageUrl = `http://127.0.0.1:${ports.storage}`;
    return address();
  };
  const stop = async (): Promise<void> => {
    const ending = servers;
    servers = [];
    await Promise.all(ending.map(close));
  };

  return {
    start,
    stop,
    put: (build) => upstream.put(build),
    remove: (organization, pipeline, number) => upstream.remove(organization, pipeline, number),
    get address() {
      return address();
    },
    requests,
    faults,
    limiter,
    latency,
    tokens: api.tokens,
  };
}

function behaviourOf(options: StandInOptions): Behaviour {
  return {
    dates: options.dates ?? 'iso',
    linkSeconds: options.linkSeconds ?? 600,
    retriedInBuildListing: options.retriedInBuildListing ?? false,
    deepestBuild: options.deepestBuild ?? 10_000,
    gzip: options.gzip ?? true,
  };
}

function serverOf(origin: Origin, at: Side): Server {
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    // A fault of the stand-in's own must end its test, not look like one of Buildkite's.
    exchange(origin, at, request, response).catch((fault: unknown) => server.emit('error', fault));
  });
  return server;
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
