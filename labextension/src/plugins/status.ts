import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { IKernelLinks } from '../kernel/links';
import { StatusItem } from '../kernel/statusitem';
import { PICK_MODEL } from '../notebook/commands';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:status',
  description: 'Shows the current model and its memory in the status bar.',
  autoStart: true,
  optional: [IStatusBar, IKernelLinks, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    statusBar: IStatusBar | null,
    links: IKernelLinks | null,
    translator: ITranslator | null
  ) => {
    if (statusBar === null || links === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('fmagic');
    const item = new StatusItem(links, trans, () => {
      if (app.commands.hasCommand(PICK_MODEL)) {
        void app.commands.execute(PICK_MODEL);
      }
    });
    statusBar.registerStatusItem(plugin.id, {
      item,
      align: 'left',
      rank: 20,
      isActive: () => item.isActive,
      activeStateChanged: item.activeChanged
    });
  }
};

export default plugin;
