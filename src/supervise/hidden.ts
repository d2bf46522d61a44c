/** Which values no line of output may hold, whoever wrote it. */
import { unescape } from 'node:querystring';
import type { Secret } from '../config/secret.ts';
import type { Secrets } from '../config.ts';

/** In each form that a secret may take; read anew each time, because a secret's file may have changed. */
export function hiddenValues(secrets: Secrets, env: NodeJS.ProcessEnv): string[] {
  const all = Object.values(secrets as unknown as Record<string, Secret | null>);
  const url = secrets.redisUrl?.reveal();
  const password = url !== undefined && URL.canParse(url) ? new URL(url).password : '';
  // The AWS SDK reads these for itself; a key's id is no secret, and helps whoever reads the log.
  const aws = Object.entries(env).filter(([name]) => /^AWS_(?!.*_FILE$).*(SECRET|TOKEN)/.test(name));
  return [
    ...all.flatMap((secret) => [secret?.reveal() ?? '', ...(secret?.revealAll() ?? [])]),
    ...aws.map(([, value]) => value ?? ''),
    password,
    unescape(password),
  ];
}
