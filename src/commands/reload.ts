/** `kitemirror reload`: a renewed certificate is shown without a moment in which nobody answers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command, exit, sayJson } from './command.ts';

export const reload: Command = {
  name: 'reload',
  summary: 'has Lighttpd read its certificate and configuration again',
  usage: '[--json]',
  help: `For the hook of whatever renews the certificate, as the user that the mirror runs as. Tests the configuration with the new files,
starts a Lighttpd of its own with them and asks it, and only then tells the running one; downloads that run are not cut. Waits until
it shows the new certificate; where that one ends instead, it is started again with the certificate that it showed before. What
the environment says, such as the files' names, a restart takes.
--json: {"reloaded":true,"expires_at":"…"}, null without TLS; where it could not be done {"reloaded":false,…}
exit 0: done · 1: none runs, or it does not show the new certificate · 78: the files are at fault, or Lighttpd runs as another
user than this: it was not told`,
  changes: () => true,
  run: async ({ root, io, values }) => {
    // The front's own program knows how it is started.
    const words = ['--disable-warning=ExperimentalWarning', join(root, 'src', 'lighttpd.ts'), '--reload'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    const expires = out.trim() === '' ? null : out.trim();
    if (values['json'] === true) sayJson(io, { reloaded: code === 0, expires_at: expires });
    if (code !== 0) io.note(`kitemirror reload: ${said.trim()}`);
    else if (values['json'] !== true)
      io.note(expires === null ? 'reloaded' : `reloaded; the certificate holds until ${expires}`);
    return typeof code === 'number' ? code : exit.fault;
  },
};
