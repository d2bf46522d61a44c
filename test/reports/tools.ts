/**
 * Storybook and Allure, in a package of their own (test/reports/tools): what two pages need is not for everyone to install
 * who looks at the demo.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const toolsFolder = join(import.meta.dirname, 'tools');

const lock = join(toolsFolder, 'package-lock.json');
/** What they were installed from; written when all are there. */
const stamp = join(toolsFolder, 'node_modules', '.installed-from');
const installTimeoutMs = 300_000;

/** Installs them where they are missing or others. @throws Error with what npm says */
export async function ensureReportTools(say: (line: string) => void): Promise<void> {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(lock, 'utf8')) return;
  say('installing what makes the reports of tests (test/reports/tools); this happens once');
  const options = { cwd: toolsFolder, timeout: installTimeoutMs };
  await new Promise<void>((resolve, reject) => {
    execFile('npm', ['ci', '--loglevel=error'], options, (error, _out, err) => {
      if (error === null) resolve();
      else reject(new Error(`npm ci in test/reports/tools failed: ${err || error.message}`));
    });
  });
  copyFileSync(lock, stamp);
}
