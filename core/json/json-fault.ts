/** Why a text or value isn't JSON that we take. */
export const JSON_FAULT_CODES = ['MALFORMED', 'TOO_DEEP', 'NOT_JSON'] as const;
export type JsonFaultCode = (typeof JSON_FAULT_CODES)[number];

/**
 * A text that can't be parsed (`MALFORMED`), a value nested deeper than allowed (`TOO_DEEP`), or a value that JSON can't hold (`NOT_JSON`:
 * `NaN`, functions, big integers that aren't raw). The message never quotes the text: it may hold credentials, and engines quote it in theirs.
 * Whose mistake it is only the caller knows, who turns it into a fault of the caller's or of the peer's.
 */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
  constructor(readonly code: JsonFaultCode, message: string) {
    super(message);
  }
}

/** How deep arrays and objects may be nested, unless a caller says otherwise. Everything that walks JSON here recurses, so this is also what keeps the stack. */
export const MAX_JSON_DEPTH = 256;
