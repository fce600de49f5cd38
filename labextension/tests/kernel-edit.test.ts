import { describe, expect, it } from 'vitest';

import { editCode } from '../src/lab/kernel';
import { made } from './samples';

describe('what the kernel is told', () => {
  it('is one expression in which no text gets out of its quotes', () => {
    const note = 'a "quote"\nand \\ more\'); import os #';
    const code = editCode(
      made(1, { tags: ['a'], note, edited: '2026-11-21T08:00:00.000Z' })
    );
    expect(code.split('\n')).toHaveLength(1);
    expect(code).toContain(`note=${JSON.stringify(note)}, edited="2026-`);
    expect(code).toContain('tags=["a"]');
    expect(editCode(made(1))).toContain('tags=[], note="", edited=""');
  });
});
