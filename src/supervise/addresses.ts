/** What must be free before anything starts: the data folder from another start, and every TCP address. */
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Listen } from '../config/values.ts';
import type { Config } from '../config.ts';
import { MirrorError } from '../errors.ts';
import { formatListen, type Listening, listen } from '../http.ts';

/** The metrics of worker i are at the setting's port + i; of a socket, at its name with `.i` after it. */
export function workerMetrics(at: Listen, index: number): Listen {
  if ('path' in at) return index === 0 ? at : { path: `${at.path}.${index}` };
  return { host: at.host, port: at.port + index };
}

/** @throws MirrorError ERR_CONFIG naming every address that cannot be had, with its setting */
export async function checkAddresses(config: Config): Promise<void> {
  const held: Listening[] = [];
  const faults: string[] = [];
  // They are held together, so that two settings with one address are found too.
  for (const [setting, at] of tcpAddresses(config)) {
    try {
      held.push(await listen(createServer(), at));
    } catch (error) {
      faults.push(`  - ${setting} ${formatListen(at)}: ${reason(error)}`);
    }
  }
  await Promise.all(held.map((each) => each.close()));
  if (faults.length > 0) throw new MirrorError('ERR_CONFIG', `cannot listen on\n${faults.join('\n')}`);
}

function tcpAddresses(config: Config): [string, Listen][] {
  const { workerMetricsListen: metrics } = config;
  const workers = metrics === null ? [] : Array.from({ length: config.workers }, (_, i) => workerMetrics(metrics, i));
  const all: [string, Listen | null][] = [
    ['KITEMIRROR_LISTEN', config.listen],
    ['KITEMIRROR_RECEIVER_LISTEN', config.receiverListen],
    ['KITEMIRROR_GATEWAY_LISTEN', config.gatewayListen],
    ['KITEMIRROR_METRICS_LISTEN', config.metricsListen],
    ...workers.map((at): [string, Listen] => ['KITEMIRROR_WORKER_METRICS_LISTEN', at]),
  ];
  return all.filter((each): each is [string, Listen] => each[1] !== null && !('path' in each[1]));
}

/** Without the words that name the address, which the list has already. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^cannot listen on [^ ]+: /, '');
}

/**
 * Takes the run folder for this process: a socket that we listen on, which the kernel frees however we end.
 * @throws MirrorError ERR_CONFIG where another start holds it, or it cannot be made
 */
export async function takeRunFolder(config: Config): Promise<Listening> {
  try {
    return await listen(createServer(), { path: join(config.runDir, 'start.sock') });
  } catch (error) {
    const told = `the data folder ${config.dataRoot} (KITEMIRROR_DATA)`;
    // What the system says of a folder that cannot be made; our own refusals tell of a socket that is held.
    const isHeld = error instanceof MirrorError;
    throw new MirrorError(
      'ERR_CONFIG',
      `${told} ${isHeld ? 'is in use' : 'cannot be used'}: ${reason(error)}`,
      {},
      error,
    );
  }
}
