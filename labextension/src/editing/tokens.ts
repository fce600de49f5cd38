/**
 * What is what in a cell of fmagic: the line of the magic, the turns of a template, its `{{ }}`.
 *
 * The kernel alone judges what is right; this only colours, so it is content with what it finds.
 */

/** What a stretch of a cell is. */
export type Kind =
  | 'magic'
  | 'option'
  | 'value'
  | 'text'
  | 'role'
  | 'brace'
  | 'expression'
  | 'string'
  | 'keyword'
  | 'comment';

/** A stretch of a cell, `to` not included. */
export interface Token {
  readonly from: number;
  readonly to: number;
  readonly kind: Kind;
}

/** A cell as it is to be shown. */
export interface Markup {
  /** In their order; none overlaps another. */
  readonly tokens: readonly Token[];
  /** Where lines of magics begin. */
  readonly magicLines: readonly number[];
  /** Where the text of a cell magic begins and ends, if there is one: it is no Python. */
  readonly body: { readonly from: number; readonly to: number } | null;
}

/** Cell magics whose text is a template; what `fmagic.completion` has as `TEMPLATES`. */
const TEMPLATES: ReadonlySet<string> = new Set([
  'prompt',
  'evaluate',
  'finetune'
]);
/** Cell magics whose text stays as it is. */
const TEXTS: ReadonlySet<string> = new Set(['embed']);
/** All magics that stand in a line. */
const LINES: ReadonlySet<string> = new Set([
  ...TEMPLATES,
  ...TEXTS,
  'fmagic',
  'model',
  'models',
  'pick',
  'runs',
  'search',
  'unload'
]);
/** Magics whose line ends in a text that is taken as it stands. */
const FREE: ReadonlySet<string> = new Set(['prompt']);
/** Options that take no value. */
const FLAGS: ReadonlySet<string> = new Set([
  '--all',
  '--allow-pickle',
  '--help',
  '-h',
  '--reverse',
  '--truncate',
  '--trust-remote-code'
]);

const MAGIC = /^([ \t]*)(%%?)([A-Za-z_]\w*)(?=\s|$)/;
const WORD = /"[^"]*"?|'[^']*'?|\S/g;
const ROLE = /^(?:system|user|assistant):[ \t]*$/;
const BRACES = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}|\{#[\s\S]*?#\}/g;
const INSIDE = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const FIRST_WORD = /^[-+]?\s*([A-Za-z_]\w*)/;

/** Longer cells are shown as they are. */
const LONGEST = 200_000;

/** Return the markup of a cell. */
export function markup(cell: string): Markup {
  const tokens: Token[] = [];
  const magicLines: number[] = [];
  if (cell.length > LONGEST || !cell.includes('%')) {
    return { tokens, magicLines, body: null };
  }
  let place = 0;
  for (const line of cell.split('\n')) {
    const magic = MAGIC.exec(line);
    const name = magic?.[3] ?? '';
    const isFirst = cell.slice(0, place).trim() === '';
    if (magic?.[2] === '%%') {
      // A cell magic stands at the very beginning, and all that follows is its text.
      const isTemplate = TEMPLATES.has(name);
      if (isFirst && magic[1] === '' && (isTemplate || TEXTS.has(name))) {
        magicLines.push(place);
        tokens.push(...inLine(line, place, name, false));
        const from = Math.min(place + line.length + 1, cell.length);
        if (isTemplate) {
          tokens.push(...inTemplate(cell.slice(from), from));
        }
        return { tokens, magicLines, body: { from, to: cell.length } };
      }
      if (isFirst) {
        break;
      }
    } else if (magic && LINES.has(name)) {
      magicLines.push(place);
      tokens.push(...inLine(line, place, name, FREE.has(name)));
    }
    place += line.length + 1;
  }
  return { tokens, magicLines, body: null };
}

function inLine(
  line: string,
  start: number,
  name: string,
  isFree: boolean
): Token[] {
  const end = line.indexOf(name) + name.length;
  const tokens: Token[] = [
    { from: start + line.indexOf('%'), to: start + end, kind: 'magic' }
  ];
  let wantsValue = false;
  for (const [from, word] of words(line, end)) {
    const to = from + word.length;
    const option = /^(--?[A-Za-z][\w-]*)(=?)/.exec(word);
    if (option?.[1] !== undefined && !wantsValue) {
      const cut = from + option[1].length;
      tokens.push({ from: start + from, to: start + cut, kind: 'option' });
      if (option[2] === '=') {
        tokens.push({ from: start + cut + 1, to: start + to, kind: 'value' });
      } else {
        wantsValue = !FLAGS.has(option[1]);
      }
    } else if (isFree && !wantsValue) {
      const rest = line.trimEnd().length;
      tokens.push({ from: start + from, to: start + rest, kind: 'text' });
      break;
    } else {
      tokens.push({ from: start + from, to: start + to, kind: 'value' });
      wantsValue = false;
    }
  }
  return tokens.filter(token => token.from < token.to);
}

/** Words with their places; one that is quoted, or a part of one, may hold spaces. */
function words(line: string, start: number): [number, string][] {
  const found: [number, string][] = [];
  let end = -1;
  WORD.lastIndex = start;
  for (let match = WORD.exec(line); match !== null; match = WORD.exec(line)) {
    const last = found.at(-1);
    if (last && match.index === end) {
      last[1] += match[0];
    } else {
      found.push([match.index, match[0]]);
    }
    end = match.index + match[0].length;
  }
  return found;
}

function inTemplate(body: string, start: number): Token[] {
  const tokens: Token[] = [];
  const braces = [...body.matchAll(BRACES)];
  for (const match of braces) {
    tokens.push(...inBraces(match[0], start + match.index));
  }
  let place = 0;
  for (const line of body.split('\n')) {
    const from = place;
    if (
      ROLE.test(line) &&
      !braces.some(
        match => match.index < from && from < match.index + match[0].length
      )
    ) {
      const to = from + line.trimEnd().length;
      tokens.push({ from: start + from, to: start + to, kind: 'role' });
    }
    place += line.length + 1;
  }
  return tokens.sort((one, other) => one.from - other.from);
}

function inBraces(text: string, start: number): Token[] {
  if (text.startsWith('{#')) {
    return [{ from: start, to: start + text.length, kind: 'comment' }];
  }
  const inner = text.slice(2, -2);
  const from = start + 2;
  const tokens: Token[] = [{ from: start, to: from, kind: 'brace' }];
  let place = 0;
  const word = text.startsWith('{%')
    ? FIRST_WORD.exec(inner.trimStart())
    : null;
  if (word?.[1] !== undefined) {
    const at = inner.indexOf(word[1]);
    place = at + word[1].length;
    tokens.push({ from: from + at, to: from + place, kind: 'keyword' });
  }
  for (const match of inner.matchAll(INSIDE)) {
    if (match.index >= place) {
      tokens.push(...expression(inner, place, match.index, from));
      place = match.index + match[0].length;
      tokens.push({
        from: from + match.index,
        to: from + place,
        kind: 'string'
      });
    }
  }
  tokens.push(...expression(inner, place, inner.length, from));
  tokens.push({
    from: from + inner.length,
    to: from + inner.length + 2,
    kind: 'brace'
  });
  return tokens;
}

/** The part of an expression between two places, without the spaces around it. */
function expression(
  inner: string,
  from: number,
  to: number,
  start: number
): Token[] {
  const part = inner.slice(from, to);
  const text = part.trim();
  if (text === '') {
    return [];
  }
  const at = start + from + part.indexOf(text);
  return [{ from: at, to: at + text.length, kind: 'expression' }];
}
