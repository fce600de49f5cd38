import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import commands from './plugins/commands';
import editing from './plugins/editing';
import experiments from './plugins/experiments';
import kernel from './plugins/kernel';
import mirror from './plugins/mirror';
import renderer from './plugins/renderer';
import status from './plugins/status';
import stop from './plugins/stop';

/** One plugin per file; each can be switched off by its id. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  renderer,
  experiments,
  mirror,
  kernel,
  status,
  stop,
  editing,
  commands
];

export default plugins;
