import { LabIcon } from '@jupyterlab/ui-components';

/** A page with a spark: what a model writes. */
export const fmagicIcon = new LabIcon({
  name: 'fmagic:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3" fill="#616161">
    <path d="M14 2l1.9 5.1L21 9l-5.1 1.9L14 16l-1.9-5.1L7 9l5.1-1.9z"/>
    <path d="M6.5 13l1.1 2.9 2.9 1.1-2.9 1.1L6.5 21l-1.1-2.9L2.5 17l2.9-1.1z"/>
    <path d="M18 16l.7 1.8 1.8.7-1.8.7L18 21l-.7-1.8-1.8-.7 1.8-.7z"/>
  </g>
</svg>`
});
