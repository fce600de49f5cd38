import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { fmagicIcon } from '../notebook/icon';
import { IKernelLinks } from '../kernel/links';
import { experimentsIcon } from '../lab/icon';
import { PANEL_ID } from '../lab/panel';
import type { CellText, Ready } from '../notebook/cells';
import { loadsFmagic, pickCell, promptCell, SETUP } from '../notebook/cells';
import {
  INSERT_PROMPT,
  NEW_QUICKSTART,
  PICK_MODEL,
  SHOW_LOG
} from '../notebook/commands';
import { writeQuickstart } from '../notebook/quickstart';

const CATEGORY = 'fmagic';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:commands',
  description: 'Commands of fmagic in the palette and the launcher.',
  autoStart: true,
  optional: [
    INotebookTracker,
    IKernelLinks,
    ICommandPalette,
    ILauncher,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker | null,
    links: IKernelLinks | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('fmagic');
    const { commands } = app;

    /** The notebook that a command works on: the current one, or a new one from the launcher. */
    const notebook = async (
      args: ReadonlyPartialJSONObject
    ): Promise<NotebookPanel> => {
      const current = tracker?.currentWidget ?? null;
      if (current !== null && args['isLauncher'] !== true) {
        return current;
      }
      const made = (await commands.execute('notebook:create-new', {
        cwd: folder(args),
        kernelName: app.serviceManager.kernelspecs.specs?.default ?? ''
      })) as NotebookPanel;
      await made.context.ready;
      await made.revealed;
      await made.sessionContext.ready;
      return made;
    };

    const ready = (panel: NotebookPanel): Ready => {
      const status = links?.of(panel)?.status ?? null;
      return {
        loaded: status !== null || (links === null && loads(panel)),
        picker: status?.picker === true
      };
    };

    const folder = (args: ReadonlyPartialJSONObject): string =>
      typeof args['cwd'] === 'string' ? args['cwd'] : '';

    commands.addCommand(PICK_MODEL, {
      label: trans.__('Pick a Model'),
      caption: trans.__('Put in a cell that loads a model'),
      icon: fmagicIcon,
      execute: async args => {
        const panel = await notebook(args);
        const text = pickCell(ready(panel));
        await put(panel, text);
        if (text.complete && commands.hasCommand('completer:invoke-notebook')) {
          await commands.execute('completer:invoke-notebook');
        }
      }
    });
    commands.addCommand(INSERT_PROMPT, {
      label: args =>
        args['isLauncher'] === true
          ? trans.__('Prompt')
          : trans.__('Insert a Prompt Cell'),
      caption: trans.__('Put in a cell that prompts the current model'),
      icon: fmagicIcon,
      execute: async args => {
        const panel = await notebook(args);
        if (!ready(panel).loaded && !loads(panel)) {
          const end = SETUP.length;
          await put(panel, {
            source: SETUP,
            from: end,
            to: end,
            complete: false
          });
        }
        await put(panel, promptCell());
      }
    });
    commands.addCommand(SHOW_LOG, {
      label: trans.__('Show the Experiment Log'),
      caption: trans.__('Open the panel with the runs of this notebook'),
      icon: experimentsIcon,
      execute: () => {
        app.shell.activateById(PANEL_ID);
      }
    });
    commands.addCommand(NEW_QUICKSTART, {
      label: trans.__('New Quickstart Notebook'),
      caption: trans.__('fmagic in ten minutes, in a folder of its own'),
      icon: fmagicIcon,
      execute: async args => {
        const path = await writeQuickstart(
          app.serviceManager.contents,
          folder(args)
        );
        await commands.execute('docmanager:open', { path });
      }
    });

    const notebooks = tracker === null ? [] : [PICK_MODEL, INSERT_PROMPT];
    for (const command of [...notebooks, SHOW_LOG, NEW_QUICKSTART]) {
      palette?.addItem({ command, category: CATEGORY });
    }
    const first = [NEW_QUICKSTART, ...notebooks, SHOW_LOG];
    for (const [rank, command] of first.entries()) {
      launcher?.add({
        command,
        category: CATEGORY,
        rank,
        args: { isLauncher: true }
      });
    }
  }
};

export default plugin;

function loads(panel: NotebookPanel): boolean {
  return loadsFmagic(
    panel.content.widgets
      .filter(cell => cell.model.type === 'code')
      .map(cell => cell.model.sharedModel.getSource())
  );
}

/** Put a cell below the active one, or into it if it is an empty one, and begin to edit it. */
async function put(panel: NotebookPanel, text: CellText): Promise<void> {
  const { content } = panel;
  const active = content.activeCell;
  if (
    active?.model.type !== 'code' ||
    active.model.sharedModel.getSource().trim() !== ''
  ) {
    NotebookActions.insertBelow(content);
  }
  const cell = content.activeCell;
  if (cell === null) {
    return;
  }
  cell.model.sharedModel.setSource(text.source);
  await content.scrollToItem(content.activeCellIndex, 'smart');
  await cell.ready;
  content.activate();
  content.mode = 'edit';
  const editor = cell.editor;
  if (editor) {
    const start = editor.getPositionAt(text.from);
    const end = editor.getPositionAt(text.to);
    if (start && end) {
      editor.setSelection({ start, end });
    }
  }
}
