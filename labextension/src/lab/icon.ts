import { LabIcon } from '@jupyterlab/ui-components';

const FLASK =
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
  '<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M9 3h6v2h-1v4.6l5.3 8.9' +
  'A1.7 1.7 0 0 1 17.8 21H6.2a1.7 1.7 0 0 1-1.5-2.5L10 9.6V5H9zm3 7.4L8.6 16h6.8z"/></svg>';

export const experimentsIcon = new LabIcon({
  name: 'fmagic:experiments',
  svgstr: FLASK
});
