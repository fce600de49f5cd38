import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:renderer',
  description: 'Shows the record of a run as a card.',
  autoStart: true,
  activate: () => undefined
};

export default plugin;
