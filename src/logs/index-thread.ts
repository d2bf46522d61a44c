/** The thread that indexes one log. */
import { parentPort, workerData } from 'node:worker_threads';
import { indexLogHere } from './index-log.ts';

const { file } = workerData as { readonly file: string };
parentPort?.postMessage(await indexLogHere(file));
