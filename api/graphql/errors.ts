import { GraphQLError, Kind, type GraphQLFormattedError } from 'graphql';
import { UserFault } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { isDatabaseAway } from '#core/store/database-away.js';
import { IdentityFault } from '../identity/identity-fault.js';
import { variableMessage, withoutValues } from './coercion-message.js';
import { GRAPHQL_LIMITS, LimitExceeded } from './limits.js';

/** What the formatter needs besides the error. */
export interface ErrorFormatterOptions {
  /** The id of the request that is being answered. */
  requestId: () => string;
  logger: Logger;
}

/** Errors of Apollo about the request itself; their messages hold nothing of ours. */
const REQUEST_CODES: ReadonlySet<unknown> = new Set([
  'GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'OPERATION_RESOLUTION_FAILURE', 'BAD_REQUEST', 'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** The answer while PostgreSQL is away. Who comes back soon finds it there, or is told so again. */
const UNAVAILABLE: PublicError = {
  message: 'Fairlead\'s database does not answer. Try again shortly; whether a mutation that was on its way was done isn\'t known.',
  extensions: { code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1000 },
};

/**
 * Makes Apollo's `formatError`. Private by default: it publishes faults that declare a public message, and errors about the request
 * itself, without values and suggestions. Anything else is logged once, with the request id, and answered as INTERNAL; as UNAVAILABLE, where the database is away.
 */
export function errorFormatter(options: ErrorFormatterOptions): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  return (formatted, error) => {
    const requestId = options.requestId();
    const known = publish(error);
    const origin = originOf(error);
    const away = known === null && isDatabaseAway(origin);
    if (known === null) options.logger.error({ err: origin, path: formatted.path, requestId }, away ? 'the database does not answer' : 'masked an internal error');
    const { message, extensions } = known ?? (away ? UNAVAILABLE : { message: `Internal error; quote request id ${requestId} when you report it.`, extensions: { code: 'INTERNAL' } });
    return { message, locations: formatted.locations, path: formatted.path, extensions: { ...extensions, requestId } };
  };
}

interface PublicError {
  message: string;
  extensions: { code: string; [key: string]: unknown };
}

function publish(error: unknown): PublicError | null {
  const origin = originOf(error);
  if (origin instanceof UserFault) return ofUserFault(origin);
  if (origin instanceof IdentityFault) return { message: origin.publicMessage, extensions: { code: origin.code } };
  if (origin instanceof LimitExceeded) return ofLimit(origin);
  if (!(error instanceof GraphQLError)) return null;
  // An error with a path comes from a resolver: nothing that a library put into its extensions makes it public.
  return error.path ? ofArgument(error) : ofRequest(error);
}

/** The innermost error: GraphQL and Apollo wrap what was thrown, sometimes twice. */
function originOf(error: unknown): unknown {
  let origin = error;
  while (origin instanceof GraphQLError && origin.originalError) origin = origin.originalError;
  return origin;
}

function ofUserFault(fault: UserFault): PublicError {
  const { code, publicMessage, field, retryable, retryAfterMs, action } = fault;
  return { message: publicMessage, extensions: { code, field, retryable, retryAfterMs, action } };
}

function ofLimit({ message, limit, maximum, actual }: LimitExceeded): PublicError {
  return { message, extensions: { code: 'LIMIT_EXCEEDED', limit, maximum, actual } };
}

/** Arguments are coerced when their field runs, so a null variable in a place that takes none shows up with a path. */
function ofArgument(error: GraphQLError): PublicError | null {
  const cause = error.originalError;
  if (!(cause instanceof GraphQLError) || cause.originalError || !VALUE_KINDS.has(cause.nodes?.[0]?.kind)) return null;
  return { message: withoutValues(cause.message), extensions: { code: 'BAD_USER_INPUT' } };
}

const VALUE_KINDS: ReadonlySet<unknown> = new Set([
  Kind.VARIABLE, Kind.INT, Kind.FLOAT, Kind.STRING, Kind.BOOLEAN, Kind.NULL, Kind.ENUM, Kind.LIST, Kind.OBJECT,
]);

function ofRequest(error: GraphQLError): PublicError | null {
  if (error.extensions.validationErrorCode === 'INTROSPECTION_DISABLED') {
    return { message: 'Introspection is off here. An operator can turn it on with FAIRLEAD_INTROSPECTION=on.', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } };
  }
  const code = error.extensions.code;
  // The parser's token limit and the limit on variable errors have no code of their own: their text is all there is (pinned by a test).
  if (code === 'GRAPHQL_PARSE_FAILED' && error.message.startsWith('Syntax Error: Document contains more that')) {
    return ofLimit(new LimitExceeded('tokens', GRAPHQL_LIMITS.tokens, null));
  }
  if (error.message.startsWith('Too many errors processing variables')) {
    return { message: 'The variables have too many faults to list.', extensions: { code: 'BAD_USER_INPUT' } };
  }
  if (code === 'BAD_USER_INPUT') return { message: variableMessage(error), extensions: { code } };
  // Validation overwrites the code that a scalar of ours gave.
  const cause = error.originalError;
  if (cause instanceof GraphQLError && cause.extensions.code === 'BAD_USER_INPUT') return { message: cause.message, extensions: { code: 'BAD_USER_INPUT' } };
  return REQUEST_CODES.has(code) ? { message: withoutValues(error.message), extensions: { code: String(code) } } : null;
}
