/** A mirror with identity on: the real gateway behind the real Lighttpd, a real OpenID provider, keys of a CI of our own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { writeLabel } from '../../src/tree/labels.ts';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';
import { type Answer, ask, type Question } from '../lighttpd/ask.ts';
import { freePort, put, root, settings, spawnLighttpd } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import { sampleBuild } from '../pages/samples.ts';
import { signInAs, startProvider, type TestProvider } from './provider.ts';

export const job = '0190a1b2-0000-4000-8000-000000000002';

export interface Mirror {
  readonly port: number;
  readonly origin: string;
  readonly paths: DataPaths;
  readonly provider: TestProvider;
  readonly ci: Omit<Ci, 'token' | 'close'>;
  get(path: string, question?: Question): ReturnType<typeof ask>;
  /** A token as Buildkite's agent asks for; `sign` may change how it is made. */
  agentToken(claims?: JWTPayload, sign?: (jwt: SignJWT) => Promise<string>): Promise<string>;
  /** Puts another policy in force. */
  policy(yaml: string): void;
  audit(): Record<string, unknown>[];
  /** The access log's lines of these requests, in their order. */
  logged(ids: readonly string[]): Promise<Record<string, unknown>[]>;
  readonly env: NodeJS.ProcessEnv;
  /** All that gateway and Lighttpd said. */
  said(): string;
  /** Ends Lighttpd, so that its log is written. */
  stopFront(): Promise<void>;
  close(): Promise<void>;
}

export const uuidOf = ({ number }: Place): string => `0190a1b2-0000-4000-8000-${String(number).padStart(12, '0')}`;
export const addressOf = ({ organization, folder, number }: Place): string =>
  `/${organization}/${folder}/builds/${number}`;

export interface MirrorOptions {
  /** Further settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether people come by a proxy's signed header, `X-Proxy-Assertion`, made by `agentToken` for the audience `the-proxy`. */
  readonly hasProxy?: boolean;
  /** Whether the provider gives refresh tokens. */
  readonly refreshes?: boolean;
  /** Whether Lighttpd speaks TLS, by a certificate that nobody knows. */
  readonly isSecure?: boolean;
  /** Puts more into the data folder before the gateway looks at it. */
  readonly prepare?: (paths: DataPaths) => Promise<void>;
}

export async function startMirror(
  builds: readonly Place[],
  policy: string,
  { env: more = {}, hasProxy = false, refreshes = false, isSecure = false, prepare }: MirrorOptions = {},
): Promise<Mirror> {
  const data = mkdtempSync(join(tmpdir(), 'kitemirror-identity-'));
  const paths = dataPaths(data);
  const port = await freePort();
  const origin = `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`;
  const provider = await startProvider(`${origin}/-/auth/callback`, { refreshes });
  const ci = await startCi();
  const policyFile = join(data, 'policy.yml');
  const setPolicy = (yaml: string): void => {
    writeFileSync(`${policyFile}.new`, yaml);
    renameSync(`${policyFile}.new`, policyFile);
  };
  setPolicy(policy);
  for (const build of builds) await putBuild(paths, build);
  await prepare?.(paths);
  const env = settings(data, port, {
    KITEMIRROR_POLICY: policyFile,
    KITEMIRROR_OIDC_ISSUER: provider.issuer,
    KITEMIRROR_OIDC_CLIENT_ID: 'mirror',
    KITEMIRROR_OIDC_CI_ISSUER: ci.issuer,
    KITEMIRROR_OIDC_CI_JWKS_URL: `${ci.issuer}/jwks`,
    KITEMIRROR_URL: origin,
    ...(isSecure ? makeCertificate(data) : {}),
    ...more,
    ...(hasProxy ? proxy(`${ci.issuer}/jwks`) : {}),
  });
  const gateway = startGateway({ ...env, KITEMIRROR_OIDC_CLIENT_SECRET: 'sesame' });
  // Lighttpd takes a back end that once refused for dead, for seconds.
  await until(
    'the gateway is ready',
    () => {
      if (gateway.child.exitCode !== null) throw new Error(gateway.said());
      return gateway.said().includes('gateway ready');
    },
    40_000,
  );
  const { child: front, said } = spawnLighttpd(env);
  const tls = isSecure ? { tls: { rejectUnauthorized: false } } : {};
  const get: Mirror['get'] = (path, question) => ask(port, path, { ...tls, ...question });
  const close = async (): Promise<void> => {
    await Promise.all([end(front), end(gateway.child), provider.close(), ci.close()]);
    rmSync(data, { recursive: true, force: true });
  };
  const isUp = async (): Promise<boolean> => {
    if (front.exitCode !== null || gateway.child.exitCode !== null) throw new Error(`${said()}${gateway.said()}`);
    return (await get('/-/auth/me').catch(() => null))?.status === 200;
  };
  await until('the mirror is up', isUp, 40_000).catch(async (thrown: unknown) => {
    await close();
    throw thrown;
  });
  return {
    port,
    origin,
    paths,
    provider,
    env,
    ci,
    get,
    close,
    agentToken: (claims, sign) => ci.token({ aud: origin, ...claims }, sign),
    policy: setPolicy,
    said: () => `${said()}${gateway.said()}`,
    stopFront: () => end(front),
    logged: async (ids) => {
      const lines = new Map<unknown, Record<string, unknown>>();
      // Lighttpd writes its log in pieces; SIGHUP has it write what it holds.
      front.kill('SIGHUP');
      await until('the requests are in the access log', () => {
        for (const line of readFileSync(join(paths.logs, 'access.log'), 'utf8').split('\n').filter(Boolean)) {
          const read = JSON.parse(line) as Record<string, unknown>;
          lines.set(read['id'], read);
        }
        return ids.every((id) => lines.has(id));
      });
      return ids.map((id) => lines.get(id) ?? {});
    },
    audit: () => {
      const file = join(paths.audit, `${new Date().toISOString().slice(0, 7)}.jsonl`);
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

/** The value of the cookie of this name that an answer sets. */
export function cookieIn({ headers }: Pick<Answer, 'headers'>, name: string): string {
  const set = headers['set-cookie']?.find((cookie) => cookie.startsWith(`${name}=`)) ?? '';
  return set.slice(name.length + 1).split(';')[0] ?? '';
}

/** A whole login, without a browser. @returns what one would carry through it, where it comes back to, and what that answers */
export async function logIn(mirror: Mirror, name: string): Promise<{ state: string; back: URL; answer: Answer }> {
  const begun = await mirror.get('/-/auth/login?to=/');
  const state = cookieIn(begun, 'kitemirror-login');
  const back = await signInAs(name, new URL(String(begun.headers.location)), `${mirror.origin}/-/auth/callback`);
  const headers = { Cookie: `kitemirror-login=${state}` };
  return { state, back, answer: await mirror.get(back.pathname + back.search, { headers }) };
}

const proxy = (jwks: string): Record<string, string> => ({
  KITEMIRROR_OIDC_ASSERTION_HEADER: 'X-Proxy-Assertion',
  KITEMIRROR_OIDC_ASSERTION_JWKS_URL: jwks,
  KITEMIRROR_OIDC_ASSERTION_AUDIENCE: 'the-proxy',
});

function makeCertificate(folder: string): Record<string, string> {
  const [KITEMIRROR_TLS_CERT, KITEMIRROR_TLS_KEY] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=127.0.0.1'];
  const files = ['-keyout', KITEMIRROR_TLS_KEY, '-out', KITEMIRROR_TLS_CERT];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' });
  return { KITEMIRROR_TLS_CERT, KITEMIRROR_TLS_KEY };
}

async function putBuild(paths: DataPaths, at: Place): Promise<void> {
  put(paths, paths.jobFile(at, job, 'artifacts/a.txt'), `of ${at.folder} ${at.number}`);
  put(paths, paths.jobFile(at, job, 'artifacts/r/index.html'), '<title>cold</title><script src=app.js></script>');
  put(paths, paths.jobFile(at, job, 'artifacts/r/app.js'), `document.title = "of ${at.folder} ${at.number}"`);
  const record = {
    ...sampleBuild([]),
    organization: at.organization,
    pipeline: at.folder,
    id: uuidOf(at),
    number: at.number,
  };
  put(paths, paths.buildFile(at, 'build.json'), JSON.stringify(record));
  await writeLabel(paths, at, { pipelineId: uuidOf({ ...at, number: 999 }), branch: 'main', fork: false });
  const page = paths.page(at.organization, at.folder, 'builds', String(at.number));
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, `<!doctype html><title>the page of ${at.folder}</title>`);
}

export function startGateway(env: NodeJS.ProcessEnv): { child: ChildProcess; said: () => string } {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, 'src', 'gateway.ts'), '--supervised'],
    {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, said: () => output };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

export interface Ci {
  readonly issuer: string;
  /** Signs by a new key from now on, and knows the old one no more. */
  rotate(): Promise<void>;
  /** Whether it leaves who asks for its keys without an answer. */
  hang(hangs: boolean): void;
  token(claims: JWTPayload, sign?: (jwt: SignJWT) => Promise<string>): Promise<string>;
  close(): Promise<void>;
}

/** What https://agent.buildkite.com is to Buildkite's customers. */
async function startCi(): Promise<Ci> {
  let [made, isHanging] = [0, false];
  const newKey = async () => {
    made += 1;
    const kid = `ci-${made}`;
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
  };
  let key = await newKey();
  const server: Server = createServer((_request, response) => {
    if (!isHanging) response.end(JSON.stringify({ keys: [key.jwk] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const usual = (jwt: SignJWT): Promise<string> =>
    jwt.setProtectedHeader({ alg: 'RS256', kid: key.kid }).sign(key.privateKey);
  return {
    issuer,
    rotate: async () => {
      key = await newKey();
    },
    hang: (hangs) => {
      isHanging = hangs;
    },
    token: (claims, sign = usual) => {
      const now = Math.floor(Date.now() / 1000);
      const facts = {
        iss: issuer,
        iat: now,
        nbf: now,
        exp: now + 300,
        organization_slug: 'acme',
        pipeline_slug: 'deploy',
      };
      return sign(new SignJWT({ ...facts, ...claims }));
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
