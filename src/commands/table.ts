/** Every command by its name; each is loaded when it is run, so that `--help` does not wait for what it does not need. */
import type { Command } from './command.ts';

export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  audit: async () => (await import('./audit.ts')).audit,
  backup: async () => (await import('./backup.ts')).backup,
  pin: async () => (await import('./pin.ts')).pin,
  doctor: async () => (await import('./doctor.ts')).doctor,
  status: async () => (await import('./status.ts')).status,
  tasks: async () => (await import('./tasks.ts')).tasks,
  backfill: async () => (await import('./backfill.ts')).backfill,
  reconcile: async () => (await import('./reconcile.ts')).reconcile,
  webhook: async () => (await import('./webhook.ts')).webhook,
  policy: async () => (await import('./policy.ts')).policy,
  portal: async () => (await import('./portal.ts')).portal,
  purge: async () => (await import('./purge.ts')).purge,
  rebuild: async () => (await import('./rebuild.ts')).rebuild,
  reload: async () => (await import('./reload.ts')).reload,
  retention: async () => (await import('./retention.ts')).retention,
  verify: async () => (await import('./verify.ts')).verify,
  revoke: async () => (await import('./revoke.ts')).revoke,
  token: async () => (await import('./token.ts')).token,
};
