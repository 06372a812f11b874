/**
 * Whether a text is one line of whole characters: no control characters (PostgreSQL takes no NUL), no line breaks, and no half of a surrogate pair, which no
 * encoding can carry: it would be stored as another character.
 */
export function oneLine(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  return !/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u.test(text);
}

/** What {@link oneLine} refuses, in words. */
export const NOT_ONE_LINE = 'No line breaks or control characters, and whole characters only.';
