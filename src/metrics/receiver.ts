/**
 * The receiver's metrics: deliveries, and all that is global. Names and labels are part of the public contract; label
 * values come from closed sets, never from a build, a branch, a path or a sender.
 */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Log } from '../log.ts';
import { declareGlobals, type GlobalSources } from './globals.ts';

/** `none`: refused before it was read, so that nobody knows its event. */
export const deliveryEvents = ['build.finished', 'job.finished', 'ping', 'other', 'none'] as const;
export type DeliveryEvent = (typeof deliveryEvents)[number];
export type DeliveryOutcome =
  | 'accepted'
  | 'ping'
  | 'ignored'
  | 'unverified'
  | 'malformed'
  | 'too_large'
  | 'media_type'
  | 'unavailable'
  | 'aborted'
  | 'failed';

export interface ReceiverMetrics {
  delivered(event: DeliveryEvent, outcome: DeliveryOutcome, seconds: number): void;
}

export function receiverMetrics(registry: Registry, sources: GlobalSources, log: Log): ReceiverMetrics {
  const registers = [registry];
  const deliveries = new Counter({
    name: 'kitemirror_deliveries_total',
    help: 'Webhook deliveries by event and by what became of them.',
    labelNames: ['event', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'kitemirror_delivery_seconds',
    help: 'Time from the head of a webhook delivery to its answer.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  declareGlobals(registry, sources, log);
  return {
    delivered: (event, outcome, took) => {
      deliveries.inc({ event, outcome });
      seconds.observe(took);
    },
  };
}
