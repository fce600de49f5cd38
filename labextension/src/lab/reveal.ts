/** From a run to its cell. */

import type { RunRecord } from '../log/record';
import type { NotebookLog } from './log';

const FLASH = 'fmagic-flash';

/** Scroll to the cell of a run and mark it; tell whether it is there. */
export async function reveal(
  log: NotebookLog,
  record: RunRecord
): Promise<boolean> {
  const place = log.cellIndexOf(record);
  const { content } = log.panel;
  if (place < 0) {
    return false;
  }
  content.activeCellIndex = place;
  content.deselectAll();
  await content.scrollToItem(place, 'smart');
  const node = content.widgets[place]?.node;
  if (node) {
    // Taken off and put on again, so that a second click shows too.
    node.classList.remove(FLASH);
    node.getBoundingClientRect();
    node.classList.add(FLASH);
    node.addEventListener(
      'animationend',
      () => {
        node.classList.remove(FLASH);
      },
      { once: true }
    );
  }
  return true;
}
