import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import experiments from './plugins/experiments';
import mirror from './plugins/mirror';
import renderer from './plugins/renderer';

/** One plugin per file; each can be switched off by its id. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  renderer,
  experiments,
  mirror
];

export default plugins;
