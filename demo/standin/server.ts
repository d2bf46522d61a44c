/**
 * A stand-in for Buildkite: its REST API v2, GraphQL API and portals, and its artifact storage, two HTTP servers on this
 * machine's loopback. Shows the builds that it is given, with Buildkite's own tokens, limits, links that expire, and
 * faults on request.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Graphql } from './api.ts';
import type { Behaviour } from './call.ts';
import { exchange, type Origin } from './exchange.ts';
import { Faults } from './faults.ts';
import { documentedLimits, documentedPortalLimits, Limiter, type Limits, PortalLimiter } from './limits.ts';
import { documentedPoints, noPoints, PointLimiter } from './points.ts';
import { type Portals, portalPath, storePortal } from './portals.ts';
import type { StandInServices } from './sample.ts';
import type { SeenRequest, StandIn, StandInAddress, StandInOptions } from './standin.ts';
import { defaultToken, graphqlToken } from './tokens.ts';
import { Upstream } from './upstream.ts';

const noLimits: Limits = { organization: null, user: null, windowMs: 60_000 };

export function createStandIn(options: StandInOptions = {}): StandIn {
  const requests: SeenRequest[] = [];
  const upstream = new Upstream();
  const faults = new Faults();
  const now = options.now ?? Date.now;
  const limiter = new Limiter(options.limits === undefined ? documentedLimits : (options.limits ?? noLimits), now);
  const graphql = graphqlOf(options, now);
  const portals = portalsOf(options, now);
  const services: StandInServices = [...(options.services ?? [])];
  const api = {
    upstream,
    services,
    behaviour: behaviourOf(options),
    tokens: options.tokens ?? [defaultToken, graphqlToken],
    limiter,
    graphql,
    portals,
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
    graphqlUrl: `${api.apiUrl}/v1`,
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
    hide: (organization, pipeline) => upstream.hide(organization, pipeline, true),
    show: (organization, pipeline) => upstream.hide(organization, pipeline, false),
    rename: (organization, pipeline, to) => upstream.rename(organization, pipeline, to),
    removePipeline: (organization, pipeline) => upstream.removePipeline(organization, pipeline),
    putPortal: (portal) => storePortal(portals, portal),
    get address() {
      return address();
    },
    portalUrl: (slug, organization) => api.apiUrl + portalPath({ slug, ...(organization ? { organization } : {}) }),
    services,
    requests,
    faults,
    limiter,
    points: graphql.points,
    portalLimiter: portals.limiter,
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

function graphqlOf({ graphql = {}, limits }: StandInOptions, now: () => number): Graphql {
  const { enabled = true, pageSize } = graphql;
  const usual = limits === null ? noPoints : documentedPoints;
  const points = graphql.limits === null ? noPoints : { ...usual, ...graphql.limits };
  return { enabled, pageSize: { default: 500, most: 500, ...pageSize }, points: new PointLimiter(points, now) };
}

function portalsOf({ portals = [], portalLimits, limits }: StandInOptions, now: () => number): Portals {
  const usual = limits === null ? null : documentedPortalLimits;
  const limiter = new PortalLimiter(portalLimits === undefined ? usual : portalLimits, now);
  const stored: Portals = { limiter, known: new Map() };
  for (const portal of portals) storePortal(stored, portal);
  return stored;
}

function serverOf(origin: Origin, at: 'api' | 'storage'): Server {
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
