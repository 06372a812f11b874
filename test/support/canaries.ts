/** A secret that was planted, and what it is. */
export type Canaries = Readonly<Record<string, string>>;

/**
 * Every form in which a secret could be told: as it is, escaped as in JSON (also twice), percent-escaped, in base64 and base64url wherever its bytes fall, in
 * hexadecimal of either case. Written apart from the program's own list of forms, so that one can't hide a fault of the other.
 */
export function formsOf(secret: string): Map<string, string> {
  const bytes = Buffer.from(secret);
  const escaped = JSON.stringify(secret).slice(1, -1);
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const forms = new Map([
    ['exact', secret], ['JSON', escaped], ['JSON twice', JSON.stringify(escaped).slice(1, -1)], ['percent', encodeURIComponent(secret)], ['percent lower', encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase())],
    ['form', new URLSearchParams({ x: secret }).toString().slice(2)], ['percent whole', percent], ['percent whole upper', percent.toUpperCase()], ['hex', bytes.toString('hex')], ['HEX', bytes.toString('hex').toUpperCase()],
  ]);
  for (let offset = 0; offset < 3; offset++) {
    // What stands around it has its part in the first and the last group of four.
    const inner = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').slice(offset === 0 ? 0 : 4, -4);
    forms.set(`base64 +${offset}`, inner);
    forms.set(`base64url +${offset}`, inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

/** Which secrets a text or a file holds, and in which form; `only` these forms, where a file is large. */
export function findCanaries(haystack: string | Buffer, canaries: Canaries, only?: readonly string[]): string[] {
  return Object.entries(canaries).flatMap(([name, secret]) => {
    const found = [...formsOf(secret)].find(([form, text]) => (only === undefined || only.includes(form)) && haystack.includes(text));
    return found === undefined ? [] : [`${name} (${found[0]})`];
  });
}
