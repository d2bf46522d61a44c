/** `kitemirror pin`: builds of which retention removes nothing. */
import { toMirrorError } from '../errors.ts';
import type { Payload } from '../queue/tasks.ts';
import { writeAudit } from '../tree/audit.ts';
import { listPins, type Pin, removePin, writePin } from '../tree/pins.ts';
import { findBuild } from './builds.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openBuilds, openMirror, openTasks } from './parts.ts';

export const pin: Command = {
  name: 'pin',
  summary: 'builds that retention keeps whole',
  usage: '[BUILD …] [--remove] [--reason TEXT] [--json]',
  help: `Pins builds: retention removes nothing of them until the pin is removed. Without a build it lists the pins. Works while the
mirror runs, and counts from the next removal on; the build's page tells of it once a worker has made it again. A purge does not ask for pins.
BUILD: web/42, acme/web/42, its address, or its uuid
--remove: removes the pins of these builds
--reason TEXT: why, for who reads the list
--json: {"pins":[{"build":"…","pipeline":"…","number":1,"reason":null,"pinned_at":"…"}]}
exit 0: done · 1: no such build · 64: a word that can name none`,
  options: { remove: { type: 'boolean', default: false }, reason: { type: 'string' } },
  takesWords: true,
  changes: ({ words }) => words.length > 0,
  run: async (context: CommandContext) => {
    const { words, values, io } = context;
    const paths = openMirror(context);
    const { organization } = context.settings().config;
    const reason = typeof values['reason'] === 'string' ? values['reason'] : null;
    for (const word of words) {
      const { record } = await findBuild(word, { paths, organization, catalog: () => openBuilds(context) });
      const { pipeline, number, id: build } = record;
      const line = { organization, pipeline, number, build, reason: reason ?? 'by an operator' };
      if (values['remove'] === true) removePin(paths, build);
      else await writePin(paths, pinOf({ organization, pipeline, number, build, reason }));
      await showPin(context, { organization, pipeline, number, build, pipelineId: record.pipeline_id });
      await writeAudit(paths, { action: values['remove'] === true ? 'unpin' : 'pin', ...line });
    }
    const pins = await listPins(paths);
    if (values['json'] === true) sayJson(io, { pins });
    else for (const each of pins) io.say(pinLine(each));
    if (values['json'] !== true && pins.length === 0) io.say('no build is pinned');
    return exit.ok;
  },
};

/** The pin counts without a Redis; the page is written again where there is one. */
async function showPin(context: CommandContext, build: Payload<'publish-build'>): Promise<void> {
  try {
    const queue = await openTasks(context);
    await queue.enqueue({ name: 'publish-build', payload: build }, { urgent: true });
  } catch (thrown) {
    if (toMirrorError(thrown).code !== 'ERR_QUEUE_UNAVAILABLE') throw thrown;
    context.io.note(`${build.pipeline} #${build.number}: Redis is away, so its page tells of it later`);
  }
}

function pinOf(facts: Omit<Pin, 'version' | 'pinned_at'>): Pin {
  return { version: 1, ...facts, pinned_at: new Date().toISOString() };
}

function pinLine({ pipeline, number, pinned_at: at, reason }: Pin): string {
  return `${pipeline} #${number}  since ${at.slice(0, 10)}${reason === null ? '' : `  ${reason}`}`;
}
