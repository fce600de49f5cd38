import {
  ILayoutRestorer,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { experimentsIcon } from '../lab/icon';
import { ExperimentsPanel, PANEL_ID } from '../lab/panel';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:experiments',
  description: 'Lists the runs of the current notebook in the right sidebar.',
  autoStart: true,
  optional: [INotebookTracker, ILayoutRestorer],
  activate: (
    app,
    tracker: INotebookTracker | null,
    restorer: ILayoutRestorer | null
  ) => {
    if (!tracker) {
      return;
    }
    const panel = new ExperimentsPanel(tracker);
    panel.title.icon = experimentsIcon;
    app.shell.add(panel, 'right', { rank: 600 });
    restorer?.add(panel, PANEL_ID);
  }
};

export default plugin;
