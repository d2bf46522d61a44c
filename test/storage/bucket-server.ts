/**
 * A real S3-compatible server (s3rver: it checks signatures) on a free port of the loopback. What is asked is noted, and
 * an answer can be spoiled on its way: what real buckets do, and a server of one's own does not.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { BucketObject } from '../../demo/standin/bucket.ts';
import { readAll } from '../../demo/standin/bytes.ts';

/** The one account that s3rver has. */
export const accessKey = 'S3RVER';

export interface SeenGet {
  readonly path: string;
  readonly range: string | null;
  readonly authorization: string;
  status: number;
}

/** @returns whether it has answered; else the server answers, perhaps into a response that was changed */
export type Spoiler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface BucketServer {
  readonly url: string;
  /** Of objects, in the order in which they came. */
  readonly gets: SeenGet[];
  /** Asked before each answer to a GET. */
  spoiler: Spoiler | null;
  /** What a process needs in order to read here. */
  readonly environment: Record<string, string>;
  put(bucket: string, objects: readonly BucketObject[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startBuckets(names: readonly string[]): Promise<BucketServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-s3-'));
  const s3rver = new S3rver({ silent: true, directory: folder, configureBuckets: names.map((name) => ({ name })) });
  await s3rver.configureBuckets();
  const answer = s3rver.callback();
  const gets: SeenGet[] = [];
  const listener: RequestListener = (request, response) => {
    if (request.method === 'GET') {
      const { range = null, authorization = '' } = request.headers;
      const seen: SeenGet = { path: request.url ?? '', range, authorization, status: 0 };
      gets.push(seen);
      response.once('close', () => {
        seen.status = response.statusCode;
      });
      if (server.spoiler?.(request, response) === true) return;
    }
    answer(request, response);
  };
  const http = createServer(listener);
  http.listen(0, 'localhost');
  await once(http, 'listening');
  // By name, so that there can be `<bucket>.localhost`.
  const url = `http://localhost:${(http.address() as AddressInfo).port}`;
  const client = new S3Client({
    endpoint: url,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: accessKey, secretAccessKey: accessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  const server: BucketServer = {
    url,
    gets,
    spoiler: null,
    environment: {
      AWS_ENDPOINT_URL_S3: url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: accessKey,
      // Without these the SDK may go and look for a machine's role.
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    put: async (bucket, objects) => {
      for (const { key, content, mimeType } of objects) {
        const command = { Bucket: bucket, Key: key, Body: readAll(content), ContentType: mimeType };
        await client.send(new PutObjectCommand(command));
      }
    },
    stop: async () => {
      client.destroy();
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

/** An error as S3 sends it. */
export function refuse(response: ServerResponse, status: number, code: string, extra = ''): true {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message>${extra}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length }).end(body);
  return true;
}

/** The connection ends after so many bytes of the body. */
export function cutAfter(response: ServerResponse, bytes: number): false {
  const write = response.write.bind(response) as (chunk: Buffer) => boolean;
  let sent = 0;
  response.write = ((chunk: Buffer) => {
    assert.ok(Buffer.isBuffer(chunk));
    const rest = bytes - sent;
    sent += chunk.length;
    if (sent <= bytes) return write(chunk);
    if (rest > 0) write(chunk.subarray(0, rest));
    setImmediate(() => response.destroy());
    return false;
  }) as ServerResponse['write'];
  return false;
}
