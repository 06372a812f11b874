// eslint-disable-next-line no-control-regex -- control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// eslint-disable-next-line no-control-regex -- control characters are what is refused; line breaks and tabs are fine in prose
const CONTROL_IN_PROSE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/** Whether `text` is one line of whole Unicode characters: no line breaks, control characters or half surrogate pairs (which PostgreSQL's jsonb refuses). */
export function oneLine(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}

/** As {@link oneLine}, with line breaks and tabs. */
export function isProse(text: string): boolean {
  return text.isWellFormed() && !CONTROL_IN_PROSE.test(text);
}
