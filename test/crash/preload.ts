/**
 * Loaded into a program of ours before its first line (`node --import`). Every call that changes the data folder, talks
 * to Redis, asks upstream or answers a sender becomes a step with a name; at one of them the planned fault happens. The
 * calls themselves are the real ones.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { classOfPath, type Fault, metLine, type Plan, planName } from './steps.ts';

type Call = (...args: unknown[]) => unknown;
type Table = Record<string, Call>;

const plan = JSON.parse(process.env[planName] ?? 'null') as Plan;
const original = { openSync: fs.openSync, writeSync: fs.writeSync, fsyncSync: fs.fsyncSync, closeSync: fs.closeSync };
const log = plan.log === null ? null : original.openSync(plan.log, 'a');
const seen = new Map<string, number>();

/** @returns whether this is the step at which something is to happen */
function arrives(label: string): boolean {
  const occurrence = (seen.get(label) ?? 0) + 1;
  seen.set(label, occurrence);
  if (log !== null) original.writeSync(log, `${label}\n`);
  return plan.at !== null && label === plan.at.label && occurrence === plan.at.occurrence;
}

function happen(): void {
  happenings[plan.fault]?.();
  if (log !== null) original.writeSync(log, `${metLine}\n`);
  if (!(plan.fault in happenings))
    throw Object.assign(new Error(`${plan.fault}: the planned fault`), { code: plan.fault, errno: -1 });
}

const twoDaysMs = 2 * 86_400_000;
const happenings: { readonly [fault in Fault]?: () => void } = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  term: () => process.kill(process.pid, 'SIGTERM'),
  full: fill,
  'redis-kill': () => process.kill(redisOf(plan).pid, 'SIGKILL'),
  'redis-hang': () => process.kill(redisOf(plan).pid, 'SIGSTOP'),
  'redis-flush': () => execFileSync('redis-cli', ['-s', redisOf(plan).socket, 'flushall'], { stdio: 'ignore' }),
  ahead: () => void (shiftMs += twoDaysMs),
  back: () => void (shiftMs -= twoDaysMs),
};

function redisOf({ redis }: Plan): NonNullable<Plan['redis']> {
  if (redis === null) throw new Error('the plan names no Redis');
  return redis;
}

function fill(): void {
  const fd = original.openSync(plan.filler, 'w');
  for (const bytes of [Buffer.alloc(1024 * 1024), Buffer.alloc(4096)]) {
    try {
      for (;;) if (original.writeSync(fd, bytes) < bytes.length) break;
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown;
    }
  }
  original.closeSync(fd);
}

// The clock ------------------------------------------------------------------------------------------------------------

let shiftMs = 0;
const clock = Date.now.bind(Date);
const startedAt = clock();
/** Only the time of day can be set; what is measured runs on. */
Date.now = () => startedAt + (clock() - startedAt) * (plan.clockSpeed ?? 1) + shiftMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget) as object,
});

// Steps ----------------------------------------------------------------------------------------------------------------

/** Node's own calls within a call of ours are no steps of their own. */
let isWithin = false;

/** A call by its label; null: not a step. Asynchronous ones are over when their promise is. */
function around(label: string | null, make: () => unknown): unknown {
  if (label === null || isWithin) return make();
  const call = (): unknown => {
    isWithin = true;
    try {
      return make();
    } finally {
      isWithin = false;
    }
  };
  const isIt = arrives(label);
  if (isIt && plan.at?.when === 'before') {
    try {
      happen();
    } catch (thrown) {
      if (isAsynchronous(label)) return Promise.reject(thrown);
      throw thrown;
    }
  }
  const result = call();
  if (!isIt || plan.at?.when !== 'after') return result;
  if (result instanceof Promise) {
    return result.then((value: unknown) => {
      happen();
      return value;
    });
  }
  happen();
  return result;
}

const isAsynchronous = (label: string): boolean => !/^[\w.]+Sync /.test(label);

// Files ----------------------------------------------------------------------------------------------------------------

const descriptors = new Map<number, string>();
const handles = new WeakMap<object, string>();

function pathLabel(name: string, ...paths: unknown[]): string | null {
  const classes = paths.map((path) => (typeof path === 'string' ? classOfPath(plan.root, path) : null));
  // SQLite's own files are its own; ours are named by what is done to them.
  return classes.some((each) => each === null) ? null : `${name} ${classes.join(' → ')}`;
}

function writes(flags: unknown): boolean {
  return typeof flags === 'number' ? (flags & 3) !== 0 : typeof flags === 'string' && /[wax+]/.test(flags);
}

function wrap(table: Table, name: string, labelOf: (args: unknown[]) => string | null): void {
  const call = table[name];
  if (call === undefined) throw new Error(`there is no ${name} to wrap`);
  table[name] = (...args) => around(labelOf(args), () => call(...args));
}

const onePath = ['mkdir', 'rmdir', 'unlink', 'rm', 'writeFile', 'truncate', 'chmod', 'opendir'];
const twoPaths = ['rename', 'link'];
const sync = fs as unknown as Table;
const promises = fsPromises as unknown as Table;
for (const name of onePath) {
  wrap(sync, `${name}Sync`, ([path]) => pathLabel(`${name}Sync`, path));
  wrap(promises, name, ([path]) => pathLabel(name, path));
}
for (const name of twoPaths) {
  wrap(sync, `${name}Sync`, ([from, to]) => pathLabel(`${name}Sync`, from, to));
  wrap(promises, name, ([from, to]) => pathLabel(name, from, to));
}

// What is copied may come from elsewhere.
wrap(sync, 'copyFileSync', ([, to]) => pathLabel('copyFileSync', to));
wrap(promises, 'copyFile', ([, to]) => pathLabel('copyFile', to));

const openSync = fs.openSync.bind(fs);
sync['openSync'] = (...args) => {
  const label = writes(args[1]) ? pathLabel('openSync', args[0]) : null;
  const fd = around(label, () => (openSync as Call)(...args)) as number;
  if (label !== null) descriptors.set(fd, String(args[0]));
  return fd;
};
for (const name of ['writeSync', 'fsyncSync', 'fdatasyncSync', 'closeSync']) {
  wrap(sync, name, ([fd]) => {
    const path = descriptors.get(fd as number);
    if (name === 'closeSync') descriptors.delete(fd as number);
    return path === undefined ? null : pathLabel(name, path);
  });
}
// With a callback: the last argument is told of a fault, and of the end.
for (const name of ['fdatasync', 'writev']) {
  const call = sync[name] as Call;
  const wrapped: Call = (...args) => {
    const path = descriptors.get(args[0] as number);
    const label = path === undefined ? null : pathLabel(name, path);
    const done = args.at(-1) as Call;
    const finish: Call = (...results) => {
      try {
        if (label !== null && isIt && plan.at?.when === 'after') happen();
        return done(...results);
      } catch (thrown) {
        return done(thrown);
      }
    };
    const isIt = label !== null && arrives(label);
    if (isIt && plan.at?.when === 'before') {
      try {
        happen();
      } catch (thrown) {
        return process.nextTick(() => done(thrown));
      }
    }
    return call(...args.slice(0, -1), finish);
  };
  // `promisify` asks the function itself what its promise is to hold.
  sync[name] = Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(call));
}

const open = fsPromises.open.bind(fsPromises);
promises['open'] = async (...args) => {
  const label = writes(args[1]) ? pathLabel('open', args[0]) : null;
  const handle = (await around(label, () => (open as Call)(...args))) as object;
  if (label !== null) handles.set(handle, String(args[0]));
  return handle;
};
const probe = await open(import.meta.filename, 'r');
const prototype = Object.getPrototypeOf(probe) as Table;
await probe.close();
for (const name of ['write', 'writeFile', 'sync', 'datasync', 'truncate', 'close']) {
  const call = prototype[name] as (this: object, ...args: unknown[]) => unknown;
  prototype[name] = function (this: object, ...args: unknown[]) {
    const path = handles.get(this);
    return around(path === undefined ? null : pathLabel(`handle.${name}`, path), () => call.apply(this, args));
  };
}
syncBuiltinESMExports();

const database = DatabaseSync.prototype as unknown as Table;
const exec = database['exec'] as (this: object, sql: string) => void;
database['exec'] = function (this: object, sql: string) {
  return around(sql === 'COMMIT' ? 'commitSync catalog' : null, () => exec.call(this, sql));
} as Call;

// Redis ----------------------------------------------------------------------------------------------------------------

/** What is done by the clock, and not by the work, is no step of it. */
const byTheClock = /^(ping|info|hello|client|bzpopmin|extendLock|moveStalledJobsToWait|exists|config|select|script)/i;
const scripts = new Map<string, string>();
const redis = Redis.prototype as unknown as Record<string, (this: object, ...args: never[]) => unknown>;
const defineCommand = redis['defineCommand'] as (this: object, name: string, definition: { lua: string }) => unknown;
redis['defineCommand'] = function (this: object, name: string, definition: { lua: string }) {
  scripts.set(createHash('sha1').update(definition.lua).digest('hex'), name.replace(/:.*/, ''));
  return defineCommand.call(this, name, definition);
};
interface Command {
  readonly name: string;
  readonly args: unknown[];
}
const sendCommand = redis['sendCommand'] as (this: object, command: Command, ...rest: unknown[]) => unknown;
redis['sendCommand'] = function (this: object, command: Command, ...rest: unknown[]) {
  return around(redisLabel(command), () => sendCommand.call(this, command, ...rest));
};

function redisLabel({ name, args }: Command): string | null {
  const isScript = name === 'evalsha' || name === 'eval';
  const script = name === 'evalsha' ? scripts.get(String(args[0])) : undefined;
  const called = script ?? name;
  if (byTheClock.test(called)) return null;
  const named = args[isScript ? 2 : 0];
  const key = typeof named === 'string' ? named : '';
  const kind = key.replaceAll(/[0-9a-f-]{36}/g, 'ID').replaceAll(/\d+/g, 'N');
  return script === undefined ? `redis ${called} ${kind}` : `redis ${called} ${kind.split(':').slice(0, 2).join(':')}`;
}

// HTTP -----------------------------------------------------------------------------------------------------------------

const requests = new WeakMap<object, boolean>();
diagnostics.subscribe('undici:request:create', (message) => {
  const { request } = message as { request: { method: string; path: string } };
  const kind = request.path
    .replace(/\?.*/, '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replaceAll(/\/\d+(?=\/|$)/g, '/N')
    .replace(/\/pipelines\/[^/]+/, '/pipelines/P')
    .replace(/^\/(?!v2\/|v1|graphql).*/, '/STORAGE');
  const isIt = arrives(`request ${request.method} ${kind}`);
  requests.set(request, isIt);
  if (isIt && plan.at?.when === 'before') happen();
});
diagnostics.subscribe('undici:request:trailers', (message) => {
  const { request } = message as { request: object };
  if (requests.get(request) === true && plan.at?.when === 'after') happen();
});

const response = ServerResponse.prototype as unknown as Record<
  string,
  (this: ServerResponse, ...args: unknown[]) => unknown
>;
const endResponse = response['end'] as (this: ServerResponse, ...args: unknown[]) => unknown;
response['end'] = function (this: ServerResponse, ...args: unknown[]) {
  return around(`answerSync ${this.statusCode}`, () => endResponse.apply(this, args));
};
