/** Digits that any double holds: fewer than this many and no exponent, and a number can't lose any. */
export const SAFE_DIGITS = 15;

/**
 * Whether a double can't give back the number that `source` (a JSON number) says.
 * Written as an integer: beyond ±(2^53−1), even where the double happens to be exact, because it would come out as `1e+22`.
 * Written with a fraction or an exponent: when the double's shortest decimal form is another number (`12345678901234567.89`), an overflow
 * (`1e400`) or an underflow (`1e-400`). Only the number counts, not its spelling: `1.50` and `-0` are not kept as their source.
 */
export function losesDigits(source: string): boolean {
  const double = Number(source);
  if (/^-?\d+$/.test(source)) return !Number.isSafeInteger(double);
  if (!Number.isFinite(double)) return true;
  if (double === 0) return /[1-9]/.test(split(source)[0]);
  return decimal(source) !== decimal(String(double));
}

/** A spelling of a decimal number other than zero that equal numbers share: significant digits and the power of ten of the last. */
function decimal(source: string): string {
  const [mantissa, exponent] = split(source);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = trimZeros(whole + fraction);
  return `${source.startsWith('-') ? '-' : ''}${digits.text}e${Number(exponent) - fraction.length + digits.trailing}`;
}

function split(source: string): [string, string] {
  const unsigned = source.startsWith('-') ? source.slice(1) : source;
  const at = unsigned.search(/[eE]/);
  return at < 0 ? [unsigned, '0'] : [unsigned.slice(0, at), unsigned.slice(at + 1).replace('+', '')];
}

/** By index, not by expression: `/0+$/` is quadratic on a long run of zeros followed by another digit. */
function trimZeros(digits: string): { text: string; trailing: number } {
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === 0x30) start += 1;
  while (end > start && digits.charCodeAt(end - 1) === 0x30) end -= 1;
  return { text: digits.slice(start, end), trailing: digits.length - end };
}
