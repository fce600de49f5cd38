// The prebuilt extension, in dist/. `jupyter-builder build .` does the same; this needs no Python.
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const done = spawnSync(
  process.execPath,
  [
    'node_modules/@jupyter/builder/lib/build-labextension.js',
    '--core-package-file',
    'node_modules/@jupyterlab/core-meta/core.package.json',
    ...process.argv.slice(2),
    '.'
  ],
  { cwd: here, stdio: 'inherit' }
);
if (done.status !== 0) {
  process.exit(done.status ?? 1);
}
copyFileSync(`${here}/install.json`, `${here}/dist/install.json`);
