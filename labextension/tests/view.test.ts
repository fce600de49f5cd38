import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { RunRecord } from '../src/log/record';
import { read } from '../src/log/record';
import { withoutCard } from '../src/view/bundle';
import { card, rawText } from '../src/view/card';
import { comparison } from '../src/view/comparison';
import { curve } from '../src/view/curve';
import { sections } from '../src/view/detail';
import { h } from '../src/view/dom';
import { Editor, parseTags } from '../src/view/editor';
import { Inspector } from '../src/view/inspector';
import { row, rowHeight } from '../src/view/row';
import { VirtualList } from '../src/view/virtual';
import { HOSTILE, made, record, records } from './samples';

const run = (each: RunRecord) => card({ is: 'run', record: each });

function hostile(): RunRecord {
  return made(1, {
    kind: 'prompt',
    status: 'error',
    model: { name: HOSTILE, quant: HOSTILE },
    template: HOSTILE,
    params: { [HOSTILE]: HOSTILE },
    note: HOSTILE,
    tags: [HOSTILE],
    metrics: { [HOSTILE]: 1 },
    series: { [HOSTILE]: [[0, 1]] },
    data: { name: HOSTILE },
    output: { text: HOSTILE, table: { [HOSTILE]: HOSTILE } },
    parents: [HOSTILE],
    environment: { python: HOSTILE },
    error: { type: HOSTILE, message: HOSTILE },
    rerun: { of: HOSTILE, same_output: false }
  });
}

function open(element: HTMLElement): HTMLElement {
  const fold = element.querySelector('details');
  if (!fold) {
    throw new Error('no fold');
  }
  fold.open = true;
  fold.dispatchEvent(new Event('toggle'));
  return element;
}

describe('the card', () => {
  it.each(Object.entries(records()))('of %s tells the run', (_, each) => {
    const head = run(each).textContent;
    expect(head).toContain(each.status);
    expect(head).toContain(each.id.slice(-8));
    expect(head).toContain(each.model?.name);
    expect(head).not.toContain(each.environment?.['torch']);
    const whole = open(run(each)).textContent;
    expect(whole).toContain(each.id);
    expect(whole).toContain(each.model?.device);
  });

  it('leads with the figure that matters', () => {
    const text = run(record('evaluate')).textContent;
    for (const part of ['accuracy 93.2%', 'nf4', '14.2 s', '250 rows']) {
      expect(text).toContain(part);
    }
  });

  it('says what the licence of the model asks', () => {
    const whole = open(run(record('evaluate'))).textContent;
    expect(whole).toContain('llama3.2 (restricted)');
    expect(whole).toContain('above 700 million monthly users');
    expect(whole).not.toContain('"class"');
  });

  it('draws the curves of a tuning run', () => {
    const whole = open(run(record('finetune')));
    expect(whole.querySelectorAll('polyline')).toHaveLength(2);
    expect(whole.querySelector('svg')?.getAttribute('aria-label')).toContain(
      'held out loss: from 3.12 to 0.41'
    );
  });

  it('says what it cannot read', () => {
    const newer = card(read({ schema: 'fmagic.run/9' }));
    expect(newer.textContent).toContain('pip install -U fmagic');
    expect(card(read({ x: 1 })).textContent).toContain('no whole record');
    expect(rawText({ a: HOSTILE }).querySelector('img')).toBe(null);
  });

  it('takes keys from the notebook', () => {
    const head = run(record('prompt')).querySelector('summary');
    expect(head?.dataset['lmSuppressShortcuts']).toBe('true');
  });
});

describe('what a record says is text', () => {
  const views: Record<string, () => HTMLElement> = {
    card: () => open(run(hostile())),
    sections: () => h('div', {}, ...sections(hostile())),
    comparison: () => comparison([hostile(), record('finetune')]),
    row: () =>
      row(
        {
          record: hostile(),
          stale: [HOSTILE],
          isCurrent: true,
          isChecked: true,
          sort: HOSTILE
        },
        0,
        1
      ),
    editor: () => {
      const editor = new Editor(() => undefined);
      editor.update(hostile());
      return editor.node;
    }
  };
  it.each(Object.entries(views))('in the %s', (_, view) => {
    const made = view();
    document.body.replaceChildren(made);
    expect(made.querySelector('img, script, a')).toBe(null);
    expect(made.outerHTML).not.toContain('\u001b');
    expect('hit' in window).toBe(false);
  });
});

describe('the HTML of a result', () => {
  const CARD = '<div data-fmagic="run-card"><b>prompt 1</b></div>';

  it('comes without the card', () => {
    expect(withoutCard(`<div><p>answer</p>${CARD}</div>`)).toBe(
      '<div><p>answer</p></div>'
    );
    expect(withoutCard(`<div>${CARD}</div>`)).toBe(null);
    expect(withoutCard('')).toBe(null);
    expect(withoutCard('<p>old</p>')).toBe('<p>old</p>');
    expect(withoutCard(`<img src="data:,">${CARD}`)).toContain('img');
  });
});

describe('curves', () => {
  it('leaves out what cannot be drawn', () => {
    expect(curve([], 'x')).toBe(null);
    expect(curve([{ name: 'a', points: [[NaN, 1]] }], 'x')).toBe(null);
    const one = curve([{ name: 'a', points: [[3, 1]] }], 'x');
    expect(one?.querySelectorAll('circle')).toHaveLength(1);
    const many = Array.from({ length: 10 }, (_, place) => ({
      name: `run ${place}`,
      points: [
        [0, 1],
        [1, place]
      ] as [number, number][]
    }));
    const drawn = curve(many, 'x');
    expect(drawn?.querySelectorAll('polyline')).toHaveLength(8);
    expect(drawn?.textContent).toContain('2 more not drawn');
    expect(drawn?.innerHTML).not.toContain('NaN');
  });
});

describe('the comparison', () => {
  it('shows figures with arrows, differences, words and curves', () => {
    const before = record('finetune');
    const after = {
      ...before,
      id: made(9).id,
      template: before.template?.replace('text', 'body') ?? '',
      params: { ...before.params, rank: 32 },
      metrics: { ...before.metrics, held_out_loss_after: 0.36 }
    };
    const found = comparison([before, after]);
    expect(found.textContent).toContain('▼ -12.2%');
    expect(found.textContent).toContain('options: rank1632');
    expect(found.querySelector('del')?.textContent).toBe('text');
    expect(found.querySelector('ins')?.textContent).toBe('body');
    expect(found.querySelectorAll('polyline')).toHaveLength(4);
    expect(found.textContent).toContain('The same in all: model, data');
  });

  it('says when nothing differs', () => {
    const one = made(1);
    expect(comparison([one, { ...one, id: made(2).id }]).textContent).toContain(
      'Nothing that is recorded differs.'
    );
  });
});

describe('the list', () => {
  const many = Array.from({ length: 1_000 }, (_, place) => made(place));
  let list: VirtualList<RunRecord>;

  beforeEach(() => {
    list = new VirtualList<RunRecord>({
      height: rowHeight,
      render: (each, place) =>
        row(
          {
            record: each,
            stale: [],
            isCurrent: false,
            isChecked: false,
            sort: 'started'
          },
          place,
          many.length
        )
    });
    document.body.replaceChildren(list.node);
    list.update(many);
  });

  it('has only the rows in sight on the page', () => {
    const rows = list.node.querySelectorAll('.fmagic-row');
    expect(rows.length).toBeLessThan(40);
    expect(rows[0]?.textContent).toContain(made(0).id.slice(-8));
    list.reveal(999);
    const last = [...list.node.querySelectorAll('.fmagic-row')].at(-1);
    expect(last?.textContent).toContain(made(999).id.slice(-8));
    expect(last?.getAttribute('aria-posinset')).toBe('1000');
  });

  it('can become short and empty', () => {
    list.reveal(999);
    list.update(many.slice(0, 2));
    expect(list.node.querySelectorAll('.fmagic-row').length).toBeLessThan(3);
    list.update([]);
    expect(list.node.querySelectorAll('.fmagic-row')).toHaveLength(0);
    list.reveal(5);
  });

  it('is higher where there is a note', () => {
    expect(rowHeight(made(1, { note: 'x' }))).toBeGreaterThan(
      rowHeight(made(1))
    );
  });
});

describe('the editor', () => {
  it('takes tags as %runs tag does', () => {
    expect(parseTags(' #best, baseline  best,,# ')).toEqual([
      'best',
      'baseline'
    ]);
  });

  it('saves what was changed', () => {
    const save = vi.fn();
    const made = new Editor(save);
    made.update(record('prompt_table'));
    const fields = made.node;
    const note = fields.querySelector('textarea');
    expect(note?.value).toBe('first try, no examples');
    if (note) {
      note.value = 'the good one';
      note.dispatchEvent(new Event('change'));
    }
    expect(save).toHaveBeenCalledWith({
      tags: ['baseline'],
      note: 'the good one'
    });
  });

  it('is locked with a reason', () => {
    const fields = new Editor(vi.fn(), 'too new').node;
    expect(fields.querySelector('textarea')?.disabled).toBe(true);
    expect(fields.textContent).toContain('too new');
  });
});

describe('the inspector', () => {
  it('shows a run with what it builds on and what builds on it', () => {
    const actions = {
      save: vi.fn(),
      goTo: vi.fn(),
      select: vi.fn(),
      close: vi.fn()
    };
    const inspector = new Inspector(actions);
    document.body.replaceChildren(inspector.node);
    const all = [record('finetune'), record('evaluate')];
    const around = { stale: ['cell edited'], records: all, locked: null };
    inspector.show(record('evaluate'), around);
    expect(inspector.node.hidden).toBe(false);
    expect(inspector.node.textContent).toContain('Stale: cell edited.');
    inspector.node.querySelector<HTMLElement>('.fmagic-link')?.click();
    expect(actions.select).toHaveBeenCalledWith(record('finetune').id);
    inspector.show(record('finetune'), around);
    expect(inspector.node.textContent).toContain('Used by');
    // What is being typed stays when the log changes, and what is not follows it.
    const note = inspector.node.querySelector('textarea');
    const tags = inspector.node.querySelector('input');
    note?.focus();
    inspector.show(
      { ...record('finetune'), seconds: 1, note: 'other', tags: ['new'] },
      around
    );
    expect(inspector.node.querySelector('textarea')).toBe(note);
    expect([note?.value, tags?.value]).toEqual(['', 'new']);
    inspector.compare(all);
    expect(inspector.node.textContent).toContain('Comparing 2 runs');
    inspector.node.querySelector<HTMLElement>('.fmagic-close')?.click();
    expect(actions.close).toHaveBeenCalled();
    inspector.clear();
    expect(inspector.node.hidden).toBe(true);
  });
});
