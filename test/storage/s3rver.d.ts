declare module '@20minutes/s3rver' {
  import type { RequestListener } from 'node:http';

  /** As far as the tests use it. @see https://github.com/20minutes/s3rver */
  export default class S3rver {
    constructor(options: {
      silent: boolean;
      directory: string;
      configureBuckets: readonly { readonly name: string }[];
    });
    configureBuckets(): Promise<unknown>;
    callback(): RequestListener;
  }
}
