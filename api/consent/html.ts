/** Text that is HTML already. Only {@link html} makes it. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template takes: texts are escaped, null is nothing. */
export type HtmlValue = string | number | Html | readonly Html[] | null;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A piece of HTML. Every value is escaped for text and for quoted attributes; never put one into a script, a style or an unquoted attribute. */
export function html(parts: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return new Html(parts.map((part, index) => (index === 0 ? part : written(values[index - 1]!) + part)).join(''));
}

function written(value: HtmlValue): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map((part) => part.text).join('');
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

// eslint-disable-next-line no-control-regex -- control characters are what is replaced
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** Text that somebody else chose, as one line of at most `max` characters that doesn't turn the text around it. */
export function foreign(text: string, max = 200): Html {
  const plain = text.replace(INVISIBLE, ' ').trim();
  return html`<bdi>${plain.length > max ? `${plain.slice(0, max)}…` : plain}</bdi>`;
}
