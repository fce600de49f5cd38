import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { IKernelLinks, KernelLinks } from '../kernel/links';

const plugin: JupyterFrontEndPlugin<IKernelLinks> = {
  id: 'fmagic-labextension:kernel',
  description: 'Listens to what kernels say about loaded models and runs.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: IKernelLinks,
  activate: (_: JupyterFrontEnd, tracker: INotebookTracker) =>
    new KernelLinks(tracker)
};

export default plugin;
