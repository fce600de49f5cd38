/** Tags and notes of runs as they were changed last, wherever that was. */

import { type ISignal, Signal } from '@lumino/signaling';

import { annotated } from '../log/merge';
import type { RunRecord } from '../log/record';

/** Knows what was changed in any notebook, so that cards show what the panel was told. */
export class Annotations {
  /** Emitted with the id of a run whose tags or note are others now. */
  get changed(): ISignal<this, string> {
    return this._changed;
  }

  /** Take note of a record, if it is the one of its run that was edited last. */
  offer(record: RunRecord): void {
    const known = this._latest.get(record.id)?.edited ?? '';
    if (record.edited && record.edited > known) {
      this._latest.set(record.id, record);
      this._changed.emit(record.id);
    }
  }

  /** Return a record with the tags and the note that its run has now. */
  applied(record: RunRecord): RunRecord {
    const latest = this._latest.get(record.id);
    return latest?.edited && latest.edited > (record.edited ?? '')
      ? annotated(record, latest)
      : record;
  }

  private readonly _latest = new Map<string, RunRecord>();
  private readonly _changed = new Signal<this, string>(this);
}

/** Those of this page. */
export const annotations = new Annotations();
