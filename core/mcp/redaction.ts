const SHORTEST = 8;

/**
 * A function that takes a credential's values out of text that a server sent back: as they are, in base64, percent-encoded and JSON-escaped.
 * Values shorter than eight characters are left, since they would be found everywhere. Also takes out what follows a scheme (`Bearer …`).
 */
export function redactor(headers: Readonly<Record<string, string>>): (text: string) => string {
  const forms = new Set<string>();
  for (const value of Object.values(headers)) {
    for (const secret of [value, value.slice(value.indexOf(' ') + 1)]) {
      if (secret.length < SHORTEST) continue;
      for (const form of formsOf(secret)) forms.add(form);
    }
  }
  // Longest first, so that `Bearer …` goes as a whole before its token does.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => ordered.reduce((rest, form) => rest.replaceAll(form, '[redacted]'), text);
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
}
