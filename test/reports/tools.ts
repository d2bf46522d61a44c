/**
 * Storybook and Allure, in a package of their own (test/reports/tools): what two pages need is not for everyone to install
 * who looks at the demo.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MirrorError } from '../../src/errors.ts';

export const toolsFolder = join(import.meta.dirname, 'tools');

const lock = join(toolsFolder, 'package-lock.json');
const packages = join(toolsFolder, 'node_modules');
/** What they were installed from; written when all are there. */
const stamp = join(packages, '.installed-from');
const installTimeoutMs = 300_000;

/** Whether they are here, as the lock file names them. */
export function hasReportTools(): boolean {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(lock, 'utf8');
}

/** Installs them where they are missing or others. @throws MirrorError ERR_PROGRAM_MISSING with what npm says */
export async function ensureReportTools(say: (line: string) => void): Promise<void> {
  if (hasReportTools()) return;
  // npm ci empties what a link leads to.
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink() === true)
    throw new MirrorError(
      'ERR_PROGRAM_MISSING',
      'test/reports/tools/node_modules is a link; remove it, then try again',
    );
  say('installing what makes the reports of tests (test/reports/tools); this happens once');
  const options = { cwd: toolsFolder, timeout: installTimeoutMs };
  await new Promise<void>((resolve, reject) => {
    execFile('npm', ['ci', '--loglevel=error'], options, (error, _out, err) => {
      if (error === null) resolve();
      else
        reject(new MirrorError('ERR_PROGRAM_MISSING', `npm ci in test/reports/tools failed: ${err || error.message}`));
    });
  });
  copyFileSync(lock, stamp);
}
