/** The parts of an output's HTML, which is written for readers without this extension. */

// How Python's `fmagic.runs.card` marks the card of the run.
const CARD = '[data-fmagic="run-card"]';

/**
 * Return the HTML of a result without the card of its run; `null` if nothing else is in it. Where
 * the card cannot be told from the rest, all of it comes back.
 *
 * Nothing in it runs or loads here: the document that is parsed is not shown. What comes out is no
 * safer than what went in.
 */
export function withoutCard(html: string): string | null {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const card = parsed.querySelector(CARD);
  card?.remove();
  const { body } = parsed;
  const told = body.textContent.trim() !== '' || body.querySelector('img, svg');
  return told ? (card ? body.innerHTML : html) : null;
}
