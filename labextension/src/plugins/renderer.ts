import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { RunRenderer } from '../lab/renderer';
import { RUN_MIME } from '../log/record';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fmagic-labextension:renderer',
  description: 'Shows the record of a run as a card under its result.',
  autoStart: true,
  optional: [IRenderMimeRegistry],
  activate: (_, registry: IRenderMimeRegistry | null) => {
    registry?.addFactory(
      {
        // All of a record is shown as text; the HTML beside it goes through the sanitizer.
        safe: true,
        mimeTypes: [RUN_MIME],
        createRenderer: options => new RunRenderer(options)
      },
      // Before text/html, which has 50.
      0
    );
  }
};

export default plugin;
