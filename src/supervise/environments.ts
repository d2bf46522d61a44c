/** What each program is told: the settings, and of the secrets only its own. Nothing else of our environment. */

export type NodeProgram = 'receiver' | 'gateway' | 'worker' | 'lighttpd';

const machine = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'NODE_ENV',
  'NODE_OPTIONS',
  'NODE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

const settings = ['BUILDKITE_ORGANIZATION', 'BUILDKITE_WEBHOOK_MODE', 'BUILDKITE_API_URL'];

/** Each may also come as `X_FILE`, which is passed on as such. */
const secrets: Record<NodeProgram, readonly string[]> = {
  receiver: ['BUILDKITE_WEBHOOK_TOKEN', 'REDIS_URL'],
  gateway: ['KITEMIRROR_OIDC_CLIENT_SECRET', 'REDIS_URL'],
  worker: ['BUILDKITE_API_TOKEN', 'BUILDKITE_PORTAL_TOKEN', 'REDIS_URL'],
  lighttpd: [],
};

const upstreamSettings = /^(BUILDKITE_GRAPHQL(_URL)?|BUILDKITE_PORTAL_URL|AWS_.+|(https?|no|all)_proxy)$/i;

/** @param env the whole environment with `.env`, and with `REDIS_URL` as the programs are to see it */
export function environmentOf(program: NodeProgram, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = secrets[program].flatMap((name) => [name, `${name}_FILE`]);
  const names = new Set([...machine, ...settings, ...own]);
  const others = new Set(Object.values(secrets).flatMap((all) => all.flatMap((name) => [name, `${name}_FILE`])));
  const isSetting = (name: string): boolean => name.startsWith('KITEMIRROR_') && !others.has(name);
  const isTold = (name: string): boolean =>
    names.has(name) || isSetting(name) || (program === 'worker' && upstreamSettings.test(name));
  return Object.fromEntries(Object.entries(env).filter(([name]) => isTold(name)));
}
