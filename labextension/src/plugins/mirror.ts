import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Debouncer } from '@lumino/polling';

import { NotebookLog } from '../lab/log';

const ID = 'fmagic-labextension:mirror';
const PAUSE = 500; // milliseconds

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Keeps the log of runs in the metadata of the notebook.',
  autoStart: true,
  optional: [INotebookTracker, ISettingRegistry],
  activate: async (
    _,
    tracker: INotebookTracker | null,
    registry: ISettingRegistry | null
  ) => {
    if (!tracker) {
      return;
    }
    const isOn = await setting(registry);
    const follow = (panel: NotebookPanel): void => {
      mirror(panel, isOn);
    };
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => {
      follow(panel);
    });
  }
};

export default plugin;

/** Keep the metadata of a notebook as its log is. */
function mirror(panel: NotebookPanel, isOn: () => boolean): void {
  const log = NotebookLog.of(panel);
  let warned = false;
  const write = (): void => {
    if (panel.isDisposed || !isOn()) {
      return;
    }
    if (log.isNewer && !warned) {
      warned = true;
      Notification.warning(
        `The log in ${panel.title.label} was written by a newer fmagic and is left as it is. ` +
          'To add to it: pip install -U fmagic',
        { autoClose: false }
      );
    }
    log.write({ all: true });
  };
  const later = new Debouncer(write, PAUSE);
  // Nothing is written when a notebook is opened: to look at it must not change it.
  log.outputsChanged.connect(() => {
    void later.invoke();
  });
  panel.context.saveState.connect((_, state) => {
    if (state === 'started') {
      write();
    }
  });
  panel.disposed.connect(() => {
    later.dispose();
  });
}

/** Return how to ask whether the mirror is on: without settings it is. */
async function setting(
  registry: ISettingRegistry | null
): Promise<() => boolean> {
  try {
    const settings = await registry?.load(ID);
    return () => settings?.get('enabled').composite !== false;
  } catch {
    return () => true;
  }
}
