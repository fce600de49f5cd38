import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { IKernelLinks } from '../kernel/links';
import { StopButton } from '../kernel/stopbutton';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:stop',
  description: 'Stop beside an answer while it is written.',
  autoStart: true,
  optional: [INotebookTracker, IKernelLinks, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    tracker: INotebookTracker | null,
    links: IKernelLinks | null,
    translator: ITranslator | null
  ) => {
    if (tracker === null || links === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('fmagic');
    const add = (panel: NotebookPanel): void => {
      const link = links.of(panel);
      if (link !== null) {
        new StopButton(panel, link, trans);
      }
    };
    tracker.forEach(add);
    links.added.connect((_, panel) => {
      add(panel);
    });
  }
};

export default plugin;
