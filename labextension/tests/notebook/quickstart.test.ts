import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import type { Files } from '../../src/notebook/quickstart';
import { writeQuickstart } from '../../src/notebook/quickstart';

/** A folder of files in memory. */
class Disk {
  readonly saved = new Map<string, { type?: string; content?: unknown }>();

  get(path: string): Promise<unknown> {
    return this.saved.has(path)
      ? Promise.resolve({ path })
      : Promise.reject(
          new ServerConnection.ResponseError(
            new Response(null, { status: 404 })
          )
        );
  }

  save(path: string, options: object): Promise<unknown> {
    this.saved.set(path, options);
    return Promise.resolve({ path });
  }
}

describe('writeQuickstart', () => {
  it('writes a notebook without outputs, and the tables it reads', async () => {
    const disk = new Disk();
    const path = await writeQuickstart(disk as unknown as Files, 'work');
    expect(path).toBe('work/fmagic-quickstart/01-quickstart.ipynb');
    const notebook = disk.saved.get(path)?.content as {
      cells: { outputs?: unknown[]; source: string | string[] }[];
    };
    const text = JSON.stringify(notebook.cells);
    expect(text).toContain('%load_ext fmagic');
    expect(notebook.cells.flatMap(cell => cell.outputs ?? [])).toEqual([]);
    for (const [table] of text.matchAll(/data\/[\w-]+\.csv/g)) {
      expect(disk.saved.has(`work/fmagic-quickstart/${table}`)).toBe(true);
    }
    expect(disk.saved.get('work/fmagic-quickstart/data')?.type).toBe(
      'directory'
    );
  });

  it('touches nothing that is there', async () => {
    const disk = new Disk();
    await writeQuickstart(disk as unknown as Files, '');
    const before = new Map(disk.saved);
    expect(await writeQuickstart(disk as unknown as Files, '')).toBe(
      'fmagic-quickstart-2/01-quickstart.ipynb'
    );
    for (const [path, file] of before) {
      expect(disk.saved.get(path)).toBe(file);
    }
  });

  it('passes on what else is wrong', async () => {
    const broken = {
      get: () => Promise.reject(new Error('no network'))
    } as unknown as Files;
    await expect(writeQuickstart(broken, '')).rejects.toThrow('no network');
  });
});
