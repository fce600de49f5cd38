import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import renderer from './plugins/renderer';

/** One plugin per file; each can be switched off by its id. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [renderer];

export default plugins;
