/** The parts of an output's HTML, which is written for readers without this extension. */

/** The class that Python's `fmagic.runs.card` gives to the card of the run. */
export const CARD_CLASS = 'fmagic-run-card';

/**
 * Return the HTML of a result without the card of its run; `null` if nothing else is in it. Where
 * the card cannot be told from the rest, all of it comes back.
 *
 * Nothing in it runs or loads here: the document that is parsed is not shown. What comes out is no
 * safer than what went in.
 */
export function withoutCard(html: string): string | null {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const card = parsed.querySelector(`.${CARD_CLASS}`);
  card?.remove();
  const { body } = parsed;
  const told = body.textContent.trim() !== '' || body.querySelector('img, svg');
  return told ? (card ? body.innerHTML : html) : null;
}
