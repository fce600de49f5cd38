import { describe, expect, it } from 'vitest';

import { markup } from '../../src/editing/tokens';

/** What is marked, as `kind:text`. */
function marked(cell: string): string[] {
  return markup(cell).tokens.map(
    ({ from, to, kind }) => `${kind}:${cell.slice(from, to)}`
  );
}

describe('the line of a magic', () => {
  it('has options and values', () => {
    expect(
      marked('%model Qwen/Qwen3-0.6B --quant nf4 --dtype=bfloat16')
    ).toEqual([
      'magic:%model',
      'value:Qwen/Qwen3-0.6B',
      'option:--quant',
      'value:nf4',
      'option:--dtype',
      'value:bfloat16'
    ]);
  });

  it('keeps quotes together', () => {
    expect(marked('%runs note 3f9a "the good one" --as=\'a b\' "open')).toEqual(
      [
        'magic:%runs',
        'value:note',
        'value:3f9a',
        'value:"the good one"',
        'option:--as',
        "value:'a b'",
        'value:"open'
      ]
    );
  });

  it('ends in free text where the magic takes one', () => {
    expect(marked("%prompt --truncate -o a Isn't --this text?  ")).toEqual([
      'magic:%prompt',
      'option:--truncate',
      'option:-o',
      'value:a',
      "text:Isn't --this text?"
    ]);
    expect(marked('%finetune --template reply')).toEqual([
      'magic:%finetune',
      'option:--template',
      'value:reply'
    ]);
  });

  it('is found between lines of Python, and nowhere else', () => {
    const cell = 'x = 5 % model\n  %unload --all\n%time model\nprint("%model")';
    expect(marked(cell)).toEqual(['magic:%unload', 'option:--all']);
    expect(markup(cell).magicLines).toEqual([cell.indexOf('  %unload')]);
    expect(markup(cell).body).toBeNull();
  });

  it('knows the magics of fmagic alone', () => {
    for (const cell of [
      '%matplotlib inline',
      '%%bash\n%model',
      '%models2',
      '%'
    ]) {
      expect(markup(cell)).toEqual({ tokens: [], magicLines: [], body: null });
    }
  });
});

describe('the template of a cell', () => {
  const HEAD = '%%prompt --data reviews\n';

  it('has roles and expressions', () => {
    expect(
      marked(
        `${HEAD}system:\nYou don't {% if x %}no{% endif %}.\nuser: \n{{ text }}`
      )
    ).toEqual([
      'magic:%%prompt',
      'option:--data',
      'value:reviews',
      'role:system:',
      'brace:{%',
      'keyword:if',
      'expression:x',
      'brace:%}',
      'brace:{%',
      'keyword:endif',
      'brace:%}',
      'role:user:',
      'brace:{{',
      'expression:text',
      'brace:}}'
    ]);
  });

  it('has texts and comments inside of braces', () => {
    expect(
      marked(`${HEAD}{{ a | join(", ") }}{# user: #}{{}}`).slice(3)
    ).toEqual([
      'brace:{{',
      'expression:a | join(',
      'string:", "',
      'expression:)',
      'brace:}}',
      'comment:{# user: #}',
      'brace:{{',
      'brace:}}'
    ]);
  });

  it('takes a role only where it stands alone, and not inside of braces', () => {
    expect(
      marked(`${HEAD} user:\nuser: hello\nUser:\n{#\nuser:\n#}`).slice(3)
    ).toEqual(['comment:{#\nuser:\n#}']);
  });

  it('lets single braces and open ones be text', () => {
    expect(marked(`${HEAD}{"a": {1}} {{ open`).slice(3)).toEqual([]);
  });

  it('is the whole rest of the cell', () => {
    expect(markup(`${HEAD}a\nb`).body).toEqual({
      from: HEAD.length,
      to: HEAD.length + 3
    });
    expect(markup('%%prompt').body).toEqual({ from: 8, to: 8 });
    expect(markup('%%embed -o v\nuser:\n{{ a }}').tokens.length).toBe(3);
  });

  it('begins at the top of the cell', () => {
    expect(markup('x = 1\n%%prompt\nuser:').body).toBeNull();
    expect(markup('\n\n%%prompt\nuser:').body).not.toBeNull();
    expect(markup(' %%prompt\nuser:').body).toBeNull();
  });

  it('has tokens in order that do not overlap', () => {
    const cell = `${HEAD}user:\n{{ a }}{% set b = "{{" %}\nassistant:\n{{ c }}\n`;
    let last = 0;
    for (const { from, to } of markup(cell).tokens) {
      expect(from).toBeGreaterThanOrEqual(last);
      expect(to).toBeGreaterThan(from);
      last = to;
    }
  });
});
