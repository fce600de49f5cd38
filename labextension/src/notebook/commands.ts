/** The ids of the commands, which other plugins and users' shortcuts name. */

export const PICK_MODEL = 'fmagic:pick-model';
export const SHOW_LOG = 'fmagic:show-log';
export const INSERT_PROMPT = 'fmagic:insert-prompt';
export const NEW_QUICKSTART = 'fmagic:new-quickstart';
