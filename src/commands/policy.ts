/** `kitemirror policy`: whether a policy is one, and whether it does what its own tests say. */
import { resolve } from 'node:path';
import { describeOutcome, readPolicy } from '../identity/policy-file.ts';
import { runPolicyTests } from '../identity/policy-tests.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';

export const policy: Command = {
  name: 'policy',
  summary: 'checks an access policy and runs its tests',
  usage: 'check|test [FILE] [--json]',
  help: `check: whether FILE (KITEMIRROR_POLICY) is a policy; every fault is named, with its place.
test: also runs the tests that stand in it, and prints each.
--json: check {"rules":2,"tests":3} · test {"passed":3,"failed":0,"outcomes":[{"test":"…","build":"…","expected":"reads","found":"reads"}]}
exit 0: all well · 1: a test failed · 78: not a policy`,
  takesWords: true,
  changes: () => false,
  run: async ({ words, values, io, settings }: CommandContext) => {
    const [verb, named, ...more] = words;
    const file = named ?? settings().config.identity?.policyFile ?? undefined;
    if ((verb !== 'check' && verb !== 'test') || file === undefined || more.length > 0) {
      io.note('kitemirror policy: say what to do, check or test, and name a FILE or set KITEMIRROR_POLICY');
      return exit.usage;
    }
    const found = await readPolicy(resolve(file));
    if (verb === 'check') {
      const [rules, tests] = [found.rules.length, found.tests.length];
      if (values['json'] === true) sayJson(io, { rules, tests });
      else io.say(`a policy of ${count(rules, 'rule')} and ${count(tests, 'test')}`);
      return exit.ok;
    }
    const outcomes = runPolicyTests(found);
    const failed = outcomes.filter((outcome) => outcome.expected !== outcome.found);
    const passed = outcomes.length - failed.length;
    if (values['json'] === true) sayJson(io, { passed, failed: failed.length, outcomes });
    else {
      for (const outcome of outcomes) io.say(`${failed.includes(outcome) ? '✗' : '✓'} ${describeOutcome(outcome)}`);
      io.say(`${passed} passed, ${failed.length} failed`);
    }
    return failed.length === 0 ? exit.ok : exit.fault;
  },
};

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
