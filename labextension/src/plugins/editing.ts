import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry
} from '@jupyterlab/codemirror';

import { templateEditing } from '../editing/extension';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:editing',
  description: 'Colours the lines of magics and the templates in cells.',
  autoStart: true,
  optional: [IEditorExtensionRegistry],
  activate: (_: JupyterFrontEnd, editors: IEditorExtensionRegistry | null) => {
    editors?.addExtension({
      name: plugin.id,
      factory: options =>
        options.inline
          ? EditorExtensionRegistry.createImmutableExtension(templateEditing())
          : null
    });
  }
};

export default plugin;
