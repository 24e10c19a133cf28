import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The folder for models, checkpoints and caches that the extension, the command line and other front ends share:
 * `override`, else `L3PRUNE_HOME`, else the operating system's folder for a user's data. Nothing is created.
 */
export function dataHome(override?: string): string {
  const chosen = override || process.env['L3PRUNE_HOME'];
  return chosen ? resolve(chosen) : join(userDataFolder(), 'l3prune');
}

function userDataFolder(): string {
  switch (process.platform) {
    case 'win32':
      return process.env['LOCALAPPDATA'] || join(homedir(), 'AppData', 'Local');
    case 'darwin':
      return join(homedir(), 'Library', 'Application Support');
    default:
      return process.env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share');
  }
}
