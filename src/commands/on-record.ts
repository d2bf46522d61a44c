/** Which operator ran what: a line of the audit for each command that changes something, beside those that say what changed. */
import { userInfo } from 'node:os';
import { writeAudit } from '../tree/audit.ts';
import { holdsMirror } from '../tree/data.ts';
import type { DataPaths } from '../tree/paths.ts';
import { type Command, type CommandContext, exit } from './command.ts';
import { openPaths } from './parts.ts';

type Context = Pick<CommandContext, 'settings' | 'words' | 'values'>;

/** No option takes a secret itself; a long list of addresses is cut. */
const longestWords = 2000;

/**
 * @param args as they were given
 * @param code how it ended; null: it threw
 */
export async function recordCommand(
  command: Command,
  context: Context,
  args: readonly string[],
  code: number | null,
): Promise<void> {
  // These two say that nothing was done.
  if (code === exit.usage || code === exit.operator || !command.changes(context)) return;
  const paths = pathsOf(context);
  // A folder that was named by mistake is not to be made.
  if (paths === null || (!holdsMirror(paths) && code !== exit.ok)) return;
  await writeAudit(paths, {
    action: 'command',
    what: [command.name, ...args].join(' ').slice(0, longestWords),
    by: operator(),
    reason: code === null ? 'broke off' : `exit ${code}`,
  });
}

/** null for settings that cannot be read: the command itself says so, and changes nothing. */
function pathsOf(context: Context): DataPaths | null {
  try {
    return openPaths(context);
  } catch {
    return null;
  }
}

/** The operating system's user; by number where it has no name, as in a container. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
