/** The retention policy that this worker goes by: with the rules of the file as it is now, and told to who asks. */
import { followPolicy, type RetentionPolicy, type RetentionSettings, wordsOfPolicy } from '../src/config/retention.ts';
import { type Log, logError } from '../src/log.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import { type PolicyTeller, tellPolicies } from '../src/tree/policies.ts';

const lookEveryMs = 1000;

export interface PolicyInForce {
  readonly policy: () => RetentionPolicy;
  readonly stop: () => void;
}

export async function followRetention(settings: RetentionSettings, paths: DataPaths, log: Log): Promise<PolicyInForce> {
  const { file } = settings;
  const policy = followPolicy(settings, (fault) => {
    if (fault === null) log.info({ file }, 'the retention rules are read anew and in force');
    else log.error({ file, reason: fault }, 'the retention rules cannot be used; those before stay in force');
  });
  let teller: PolicyTeller | null = null;
  let told: RetentionPolicy | null = null;
  let isTelling = false;
  let hasFailed = false;
  const look = async (): Promise<void> => {
    const now = policy();
    if (now === told || isTelling) return;
    isTelling = true;
    try {
      teller ??= tellPolicies(paths);
      await teller.tell(wordsOfPolicy(now));
      [told, hasFailed] = [now, false];
    } catch (thrown) {
      // As on a full disk: again in a second, and said once.
      if (!hasFailed) logError(log, thrown, 'the retention policy in force cannot be told to commands');
      hasFailed = true;
    } finally {
      isTelling = false;
    }
  };
  await look();
  const timer = setInterval(() => void look(), lookEveryMs);
  return {
    policy,
    stop: () => {
      clearInterval(timer);
      teller?.leave();
    },
  };
}
