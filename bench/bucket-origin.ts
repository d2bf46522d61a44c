/** Process: an S3-compatible server (s3rver) with one object. Sends at the pace that it was told last. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createPace, type Pace } from './pace.ts';

export interface BucketStart {
  /** For its objects. */
  readonly folder: string;
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
}

/** Null: as fast as it can. */
export interface BucketPace {
  readonly pace: Pace | null;
}

export interface BucketAddress {
  readonly environment: Record<string, string>;
}

/** The one account that s3rver has. */
const account = 'S3RVER';

process.once('message', (start: BucketStart) => void run(start));
// Who started it is gone.
process.on('disconnect', () => process.exit());

async function run({ folder, bucket, key, size }: BucketStart): Promise<void> {
  const directory = mkdtempSync(join(folder, 's3-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const s3rver = new S3rver({ silent: true, directory, configureBuckets: [{ name: bucket }] });
  await s3rver.configureBuckets();
  const answer = s3rver.callback();
  let slowDown: ((response: ServerResponse) => void) | null = null;
  const http = createServer((request, response) => {
    if (request.method === 'GET') slowDown?.(response);
    answer(request, response);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: account, secretAccessKey: account };
  const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED' } as const;
  const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials, ...checksums });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.alloc(size, key) }));
  process.on('SIGTERM', () => process.exit());
  process.on('message', ({ pace }: BucketPace) => {
    slowDown = pace === null ? null : createPace(pace);
    process.send?.({});
  });
  const environment = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: account,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  process.send?.({ environment } satisfies BucketAddress);
}
