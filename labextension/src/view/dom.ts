/** Elements of a page. All text goes in as text: nothing that a record says can become markup. */

import { visible } from '../log/formats';

export type Child = Node | string | null | undefined | false;

interface Properties {
  readonly class?: string;
  readonly title?: string;
  /** Attributes; one that is `null` is left out. */
  readonly attrs?: Readonly<Record<string, string | null>>;
}

/** Return a new element; strings among the children become text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.class) {
    element.className = properties.class;
  }
  if (properties.title) {
    element.title = visible(properties.title);
  }
  setAttributes(element, properties.attrs);
  element.append(...texts(children));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Return a new element of a drawing. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attrs: Readonly<Record<string, string | number>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attrs)) {
    element.setAttribute(name, visible(String(value)));
  }
  element.append(...texts(children));
  return element;
}

export function setAttributes(
  element: Element,
  attrs: Readonly<Record<string, string | null>> = {}
): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null) {
      element.removeAttribute(name);
    } else {
      element.setAttribute(name, visible(value));
    }
  }
}

function texts(children: readonly Child[]): (Node | string)[] {
  return children
    .filter(child => child instanceof Node || typeof child === 'string')
    .map(child => (typeof child === 'string' ? visible(child) : child));
}
