import type { ErrorObject } from 'ajv';

/** One thing that is wrong with a value: where, as a JSON Pointer into it ({@link https://www.rfc-editor.org/rfc/rfc6901 RFC 6901}), and what. Never says a value. */
export interface Violation {
  pointer: string;
  message: string;
}

/** At most this many are told. */
export const MAX_VIOLATIONS = 10;

/** So many errors are looked at: they may all say the same, with a long list of values each. */
const MAX_ERRORS = 100;
const MAX_POINTER = 500;
const MAX_MESSAGE = 300;

/** Tells Ajv's errors as violations, without repeats. Property names of the value appear in pointers only, cut to 500 characters; text of the schema in messages, cut to 300. */
export function toViolations(errors: readonly ErrorObject[]): Violation[] {
  const violations = new Map<string, Violation>();
  for (const error of errors.slice(0, MAX_ERRORS)) {
    const violation = { pointer: cut(pointerOf(error), MAX_POINTER), message: cut(plain(messageOf(error)), MAX_MESSAGE) };
    violations.set(`${violation.pointer}\n${violation.message}`, violation);
    if (violations.size === MAX_VIOLATIONS) break;
  }
  return [...violations.values()];
}

function pointerOf(error: ErrorObject): string {
  const extra: unknown = error.params['additionalProperty'] ?? error.params['unevaluatedProperty'];
  return typeof extra === 'string' ? `${error.instancePath}/${extra.replaceAll('~', '~0').replaceAll('/', '~1')}` : error.instancePath;
}

function messageOf(error: ErrorObject): string {
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'is not a property of this object';
    case 'required':
      return `must have the property ${JSON.stringify(error.params['missingProperty'])}`;
    case 'enum':
      return `must be one of ${JSON.stringify(error.params['allowedValues'])}`;
    case 'const':
      return `must be ${JSON.stringify(error.params['allowedValue'])}`;
    case 'propertyNames':
      return 'has a property name that is not allowed';
    case 'false schema':
      return 'must not be there';
    default:
      return error.message ?? `fails ${error.keyword}`;
  }
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- the schema's text may hold what a terminal would obey
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
}

function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}
