import { describe, expect, it } from 'vitest';

import { loadsFmagic, pickCell, promptCell } from '../../src/notebook/cells';

describe('pickCell', () => {
  it('loads fmagic where it is not, with the name selected', () => {
    const cell = pickCell({ loaded: false, picker: false });
    expect(cell.source).toBe('%load_ext fmagic\n%model tiny');
    expect(cell.source.slice(cell.from, cell.to)).toBe('tiny');
  });

  it('offers names, or the picker where there is one', () => {
    const cell = pickCell({ loaded: true, picker: false });
    expect([cell.source, cell.from, cell.complete]).toEqual([
      '%model ',
      7,
      true
    ]);
    expect(pickCell({ loaded: true, picker: true }).source).toBe('%pick');
  });
});

describe('promptCell', () => {
  it('ends where one writes', () => {
    const cell = promptCell();
    expect(cell.source.endsWith('user:\n')).toBe(true);
    expect(cell.from).toBe(cell.source.length);
  });
});

describe('loadsFmagic', () => {
  it('finds the line that loads it', () => {
    expect(loadsFmagic(['x', 'y\n%load_ext fmagic\n'])).toBe(true);
    expect(loadsFmagic(['%reload_ext fmagic'])).toBe(true);
    expect(loadsFmagic(['%load_ext fmagic2', 'load_ext fmagic'])).toBe(false);
  });
});
