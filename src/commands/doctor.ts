/** `kitemirror doctor`: looks for what is wrong, and says the remedy of each. Changes nothing. */
import { toMirrorError } from '../errors.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { checkDisk, checkLighttpd, checkRedis, checkUrl } from './doctor-machine.ts';
import { checkReaders, checkSenders } from './doctor-readers.ts';
import { checkToken, checkWebhook, warnBeforeMs } from './doctor-upstream.ts';
import type { Check, Finding } from './finding.ts';

const checks: Readonly<Record<string, Check>> = {
  token: checkToken,
  webhook: checkWebhook,
  senders: checkSenders,
  readers: checkReaders,
  address: checkUrl,
  disk: checkDisk,
  redis: checkRedis,
  lighttpd: checkLighttpd,
};

export const doctor: Command = {
  name: 'doctor',
  summary: 'looks for what is wrong and says the remedy',
  usage: '[--days N] [--json]',
  options: { days: { type: 'string' } },
  help: `Looks at the configuration; the API token's scopes, its expiry and this machine's clock;
scopes that are more than is used; the webhook at Buildkite, and from where deliveries are taken; who reads, and from where; the public address; the disk and its inodes; Redis' persistence and eviction; Lighttpd's version and its
configuration. Sends Buildkite two or three requests, and changes nothing.
--days: how long before its end the token is warned of, from 1 to 365; the default is 7
--json: {"well","findings":[{"check","grade":"ok|warn|fail|skipped","found","remedy"}]}
exit 0: nothing is wrong (warnings are printed) · 1: something is · 64: an argument that cannot be right
78: the configuration cannot be read`,
  changes: () => false,
  run: runDoctor,
};

async function runDoctor(context: CommandContext): Promise<number> {
  warnBeforeMs(context);
  const { config } = context.settings();
  const findings: Finding[] = [
    {
      check: 'settings',
      grade: 'ok',
      found: `organization ${config.organization}, data in ${config.dataRoot}`,
      remedy: null,
    },
  ];
  const { io, values } = context;
  for (const [name, check] of Object.entries(checks)) {
    if (values['json'] !== true) io.redraw(`looking at ${name} …`);
    findings.push(...(await looked(name, check, context)));
  }
  io.redraw('');
  const well = findings.every(({ grade }) => grade !== 'fail');
  if (values['json'] === true) sayJson(io, { well, findings });
  else for (const finding of findings) tell(context, finding);
  return well ? exit.ok : exit.fault;
}

/** A check that breaks off is a finding, not the end of the others. */
async function looked(name: string, check: Check, context: CommandContext): Promise<Finding[]> {
  try {
    return (await check(context)).map((finding) => ({ check: name, ...finding }));
  } catch (thrown) {
    context.signal.throwIfAborted();
    return [{ check: name, grade: 'fail', found: toMirrorError(thrown).message, remedy: null }];
  }
}

const marks: Readonly<Record<Finding['grade'], string>> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skipped: '–   ' };

function tell({ io }: CommandContext, { check, grade, found, remedy }: Finding): void {
  io.say(`${marks[grade]} ${check.padEnd(9)} ${found}`);
  if (remedy !== null) io.say(`${' '.repeat(14)} → ${remedy}`);
}
