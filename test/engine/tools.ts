import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Shell scripts in the place of the programs that an installation of TensorFlow runs; they fetch nothing. */
export const workingTools = {
  npm: 'case "$1" in --version) echo 10.0.0 ;; *) /bin/mkdir -p node_modules ;; esac',
  python3: 'case "$*" in *--version*) echo "pip 99.0" ;; *) while [ "$1" != --dest ]; do shift; done; echo nonsense > "$2/a.whl" ;; esac',
  'g++': 'exit 0',
};

/** npm that installs for ever, once it has said so by a file that holds its process's number. */
export const waitingNpm = (pidFile: string): string =>
  `if [ "$1" = ci ]; then echo $$ > ${pidFile}.new; /bin/mv ${pidFile}.new ${pidFile}; exec /bin/sleep 600; fi`;

/** Writes scripts into a folder, which is then a PATH. */
export async function writeTools(folder: string, scripts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder);
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
}
