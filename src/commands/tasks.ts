/** `kitemirror tasks`: what is in the queues, tried again, or taken out. */
import { Uuid } from '../model.ts';
import { type Desk, openDesk, type TaskState, type TaskView, taskStates } from '../queue/desk.ts';
import { retryTask } from '../reconcile/retry.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openCatalogOrNone, openPaths, openRedis, openTasks } from './parts.ts';

export const tasks: Command = {
  name: 'tasks',
  summary: 'lists, retries or drops tasks of the queues',
  usage: '[list [--state STATE] [--limit N] | retry ID… | retry --failed | drop ID…] [--json]',
  takesWords: true,
  options: { state: { type: 'string' }, limit: { type: 'string' }, failed: { type: 'boolean', default: false } },
  help: `list   (default) tasks, those that run first. --state: ${taskStates.join(', ')}. --limit: at most so many (100)
retry  an ID is a task's, which then runs as soon as there is a place; or a build's uuid: the build is looked at anew with
       each of its jobs, before all work that nobody waits for. --failed: every task that has failed for good
drop   takes tasks out. The gap of a build stays and is taken up again: to be rid of it for good, exclude it
--json: list: {"tasks":[{"id","queue","name","state","class","pipeline","number","build","job","attempts","error",…}]}
        retry, drop: {"done":[ID…],"refused":[ID…]}
exit 0: done · 1: an ID that is not there, or that runs this moment · 64: an unknown word`,
  changes: ({ words: [verb] }) => verb === 'retry' || verb === 'drop',
  run: runTasks,
};

const manyTasks = 10_000;

async function runTasks(context: CommandContext): Promise<number> {
  const [verb = 'list', ...ids] = context.words;
  const { values, io } = context;
  const state = values['state'];
  const isKnown = state === undefined || taskStates.some((known) => known === state);
  const limit = Number(values['limit'] ?? 100);
  const isListed = verb === 'list' && ids.length === 0 && isKnown && Number.isSafeInteger(limit) && limit > 0;
  const isDone =
    (verb === 'retry' && (ids.length > 0 || values['failed'] === true)) || (verb === 'drop' && ids.length > 0);
  if (!isListed && !isDone) {
    io.note(`Usage: kitemirror tasks ${tasks.usage}`);
    return exit.usage;
  }
  const desk = openDesk(await openRedis(context, 'producer'));
  if (verb === 'list') return list(context, desk, state as TaskState | undefined, limit);
  const failed = values['failed'] === true ? (await desk.list(['failed'], manyTasks)).map(({ id }) => id) : [];
  const act = verb === 'drop' ? desk.drop : await retrier(context, desk);
  const done: string[] = [];
  const refused: string[] = [];
  for (const id of [...ids, ...failed]) ((await act(id)) ? done : refused).push(id);
  if (values['json'] === true) sayJson(io, { done, refused });
  else {
    io.say(`${done.length} ${verb === 'drop' ? 'dropped' : 'to be tried again'}`);
    for (const id of refused) io.note(`${id}: not there, or it runs this moment`);
  }
  return refused.length === 0 ? exit.ok : exit.fault;
}

/** An id may be a task's or a build's: both are uuids. */
async function retrier(context: CommandContext, desk: Desk): Promise<(id: string) => Promise<boolean>> {
  const queue = await openTasks(context);
  const [paths, catalog] = [openPaths(context), openCatalogOrNone(context)];
  return async (id) => {
    if (await desk.retry(id)) return true;
    const build = Uuid.safeParse(id).data;
    const task = build === undefined ? null : await retryTask(paths, catalog, build);
    if (task !== null) await queue.enqueue(task, { urgent: true });
    return task !== null;
  };
}

async function list(
  { values, io }: CommandContext,
  desk: Desk,
  state: TaskState | undefined,
  limit: number,
): Promise<number> {
  const found = await desk.list(state === undefined ? taskStates : [state], limit);
  if (values['json'] === true) sayJson(io, { tasks: found });
  else if (found.length === 0) io.say('no tasks');
  else for (const task of found) io.say(lineOf(task));
  return exit.ok;
}

export function lineOf(task: TaskView): string {
  const build = task.pipeline === null ? '' : `${task.pipeline}${task.number === null ? '' : ` #${task.number}`}`;
  const job = task.job === null ? '' : `job ${task.job}`;
  const error = task.error === null ? '' : `(${task.attempts} tries: ${task.error})`;
  const parts = [task.state.padEnd(11), task.name.padEnd(16), task.class.padEnd(9), task.id, build, job, error];
  return parts.filter((part) => part !== '').join('  ');
}
