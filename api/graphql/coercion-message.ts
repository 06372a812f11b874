import { GraphQLError } from 'graphql';

/**
 * graphql-js quotes the offending value in its messages, and values may be secrets. These functions keep what helps (where, which
 * type) and drop the value. They follow the wording of graphql-js 16; a message they don't know loses its end, not its secret.
 * https://github.com/graphql/graphql-js/blob/v16.15.0/src/utilities/coerceInputValue.ts
 */

const SUGGESTION = / Did you mean .*\?$/s;

/** What follows is a value: everything from the second group on is dropped. */
const QUOTED_VALUES: readonly RegExp[] = [
  /^((?:Int|Float|String|Boolean|ID) cannot represent [a-z0-9 -]*value): .*$/s,
  /^(Enum "[^"]*" cannot represent [a-z0-9 -]*value): .*$/s,
  /^(Expected value of type "[^"]*"), found .*$/s,
  /^(Argument "[^"]*" has (?:an )?invalid value) .*$/s,
  /^(Syntax Error: .*(?:String|BlockString)) ".*$/s,
  /^(Expected type "[^"]*"\.) .*$/s,
];

/** A message of parsing or validation without literal values of the document and without "Did you mean". */
export function withoutValues(message: string): string {
  const plain = message.replace(SUGGESTION, '').replace(/^Value ".*" (does not exist in "[^"]*" enum\.)$/s, 'Value $1');
  for (const pattern of QUOTED_VALUES) {
    const match = pattern.exec(plain);
    if (match) return match[1]!.endsWith('.') ? match[1]! : `${match[1]}.`;
  }
  return plain;
}

const VALUE_FREE: readonly RegExp[] = [
  /^Field "[^"]*" (?:is not defined by type|of required type) "[^"]*"(?: was not provided)?\.$/,
  /^Expected (?:type|non-nullable type) "[^"]*"(?: to be an object| not to be null)?\.$/,
  /^(?:Exactly one key must be specified|Field "[^"]*" must be non-null)[^:]*\.$/,
  /^Value does not exist in "[^"]*" enum\.$/,
];

/** The public message for a variable that could not be coerced: variable, path and expected type, never the value. */
export function variableMessage(error: GraphQLError): string {
  const inner = error.originalError;
  const end = inner ? `; ${inner.message}` : '';
  // "of required type … was not provided" and "of non-null type … must not be null" quote no value.
  if (!inner || !error.message.endsWith(end)) {
    return /^Variable "\$\w+" of (?:required|non-null) type "[^"]*" (?:was not provided|must not be null)\.$/.test(error.message)
      ? error.message : 'The variables of this operation are not valid.';
  }
  const start = error.message.slice(0, -end.length);
  const name = /^Variable "\$(\w+)"/.exec(start)?.[1];
  const path = / at "([\w.[\]]*)"$/.exec(start)?.[1];
  return `Variable "$${name}" has an invalid value${path ? ` at "${path}"` : ''}: ${reasonOf(inner)}`;
}

function reasonOf(inner: Error): string {
  // Our own scalars write their messages for the public.
  if (inner instanceof GraphQLError && inner.extensions.code === 'BAD_USER_INPUT') return inner.message;
  const plain = withoutValues(inner.message);
  const known = plain !== inner.message.replace(SUGGESTION, '') || VALUE_FREE.some((pattern) => pattern.test(plain));
  return known ? plain : 'The value is not of the expected type.';
}
