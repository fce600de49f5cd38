/** What the kernel's log is told, so that `%runs` knows at once what was noted in the panel. */

import type { NotebookPanel } from '@jupyterlab/notebook';

import type { RunRecord } from '../log/record';

/**
 * Tell the kernel tags and note of a run, if there is one with fmagic in it.
 *
 * The notebook's metadata has them all the same, so nothing is lost where this fails.
 */
export async function tellKernel(
  panel: NotebookPanel,
  record: RunRecord
): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  try {
    const info = await kernel?.info;
    if (info?.language_info.name !== 'python') {
      return;
    }
    // No output, no history, no number; it waits for the cell that runs.
    await kernel?.requestExecute({
      code: editCode(record),
      silent: true,
      store_history: false,
      allow_stdin: false,
      stop_on_error: false
    }).done;
  } catch {
    // The kernel went away. The next one reads the notebook.
  }
}

/** One expression that names nothing in the user's namespace; strings of JSON are Python's too. */
export function editCode(record: RunRecord): string {
  const tags = JSON.stringify(record.tags ?? []);
  const [id, note, edited] = [record.id, record.note, record.edited].map(text =>
    JSON.stringify(text ?? '')
  );
  return (
    "__import__('sys').modules.get('fmagic') and __import__('fmagic').get_session()" +
    `.adopt_edit(${id}, tags=${tags}, note=${note}, edited=${edited})`
  );
}
