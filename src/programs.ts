/** The programs of other projects that this one runs: what they are called, and where they are on this machine. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

export interface ProgramNeed {
  readonly name: string;
  /** Any one of them will do; the first that is found is taken. */
  readonly commands: readonly string[];
  /** Debian packages: of each row the first one that the release has. */
  readonly packages: readonly (readonly string[])[];
  /** A run that ends with 0 only where the command has all that it needs beside itself. */
  readonly probe?: { readonly args: readonly string[]; readonly input: string };
}

export const redisNeed: ProgramNeed = {
  name: 'redis-server',
  commands: ['redis-server', 'valkey-server'],
  packages: [['redis-server', 'valkey-server']],
};

export const lighttpdNeed: ProgramNeed = {
  name: 'lighttpd with mod_magnet',
  commands: ['lighttpd'],
  // Older releases call the Lua module by its own name.
  packages: [['lighttpd'], ['lighttpd-modules-lua', 'lighttpd-mod-magnet']],
  probe: { args: ['-tt', '-f', '-'], input: 'server.document-root = "/"\nserver.modules = ("mod_magnet")\n' },
};

/** Where KITEMIRROR_TLS_CERT is set. */
export const lighttpdTlsNeed: ProgramNeed = {
  name: 'lighttpd with mod_magnet and mod_openssl',
  commands: lighttpdNeed.commands,
  packages: [...lighttpdNeed.packages, ['lighttpd-mod-openssl']],
  probe: {
    args: ['-tt', '-f', '-'],
    input: 'server.document-root = "/"\nserver.modules = ("mod_openssl", "mod_magnet")\n',
  },
};

/** Makes the certificates of the demo and of tests. */
export const opensslNeed: ProgramNeed = { name: 'openssl', commands: ['openssl'], packages: [['openssl']] };

export const chromiumNeed: ProgramNeed = {
  name: 'chromium',
  commands: ['chromium', 'chromium-browser'],
  packages: [['chromium', 'chromium-browser']],
};

export const promtoolNeed: ProgramNeed = { name: 'promtool', commands: ['promtool'], packages: [['prometheus']] };

export const shellcheckNeed: ProgramNeed = { name: 'shellcheck', commands: ['shellcheck'], packages: [['shellcheck']] };

export const unzipNeed: ProgramNeed = { name: 'unzip', commands: ['unzip'], packages: [['unzip']] };

/** Where servers are kept; an ordinary user's PATH leaves these out on Debian. */
const serverFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of the first of these commands that can be run, or null. @param path the value of PATH */
export function findCommand(commands: readonly string[], path: string): string | null {
  const folders = [...path.split(delimiter).filter(isAbsolute), ...serverFolders];
  for (const command of commands) {
    const found = folders.map((folder) => join(folder, command)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Absent, not ours to run, or a dangling link: in each case it is not the one.
    return false;
  }
}
