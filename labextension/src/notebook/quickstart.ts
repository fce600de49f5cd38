/** The quickstart notebook as a folder of its own, with the tables that it reads. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

/** As much of the files as this needs. */
export type Files = Pick<Contents.IManager, 'get' | 'save'>;

const FOLDER = 'fmagic-quickstart';
const MOST = 100;

/**
 * Write the quickstart into a new folder, and return the path of the notebook.
 *
 * Nothing that is there is touched: the folder gets a number if need be.
 */
export async function writeQuickstart(
  files: Files,
  cwd: string
): Promise<string> {
  const { NAME, NOTEBOOK, TABLES } = await import('../generated/quickstart');
  const folder = await freeName(files, cwd);
  await files.save(folder, { type: 'directory' });
  const made = new Set<string>();
  for (const [name, content] of Object.entries(TABLES)) {
    const inside = PathExt.join(folder, PathExt.dirname(name));
    if (inside !== folder && !made.has(inside)) {
      await files.save(inside, { type: 'directory' });
      made.add(inside);
    }
    await files.save(PathExt.join(folder, name), {
      type: 'file',
      format: 'text',
      content
    });
  }
  const path = PathExt.join(folder, NAME);
  await files.save(path, {
    type: 'notebook',
    format: 'json',
    content: JSON.parse(NOTEBOOK) as unknown
  });
  return path;
}

async function freeName(files: Files, cwd: string): Promise<string> {
  for (let number = 1; number < MOST; number += 1) {
    const path = PathExt.join(
      cwd,
      number === 1 ? FOLDER : `${FOLDER}-${number}`
    );
    try {
      await files.get(path, { content: false });
    } catch (error) {
      if (
        error instanceof ServerConnection.ResponseError &&
        error.response.status === 404
      ) {
        return path;
      }
      throw error;
    }
  }
  throw new Error(`There are ${MOST} folders ${FOLDER} already.`);
}
