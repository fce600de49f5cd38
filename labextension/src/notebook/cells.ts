/** What the commands put into a notebook. */

/** As much of a kernel as the choice of a cell depends on. */
export interface Ready {
  /** Whether fmagic is loaded. */
  readonly loaded: boolean;
  /** Whether the kernel has `%pick`. */
  readonly picker: boolean;
}

/** A cell with the part of it that is selected, or the place of the cursor. */
export interface CellText {
  readonly source: string;
  readonly from: number;
  readonly to: number;
  /** Whether to offer completions at once. */
  readonly complete: boolean;
}

export const SETUP = '%load_ext fmagic\n%model tiny';

/** The cell that picks a model. */
export function pickCell(ready: Ready): CellText {
  if (!ready.loaded) {
    const from = SETUP.length - 'tiny'.length;
    return { source: SETUP, from, to: SETUP.length, complete: false };
  }
  return ready.picker ? ending('%pick', false) : ending('%model ', true);
}

/** A prompt to go on from. */
export function promptCell(): CellText {
  return ending(
    '%%prompt\nsystem:\nYou answer in one sentence.\nuser:\n',
    false
  );
}

/** Whether a notebook loads fmagic somewhere. */
export function loadsFmagic(sources: Iterable<string>): boolean {
  for (const source of sources) {
    if (/^\s*%(?:re)?load_ext\s+fmagic\b/m.test(source)) {
      return true;
    }
  }
  return false;
}

function ending(source: string, complete: boolean): CellText {
  return { source, from: source.length, to: source.length, complete };
}
