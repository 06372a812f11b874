import { oneLine } from '#core/connection/text.js';
import { UserFault } from '#core/errors.js';
import { MAX_TOOL_NAME } from '#core/mcp/listing.js';
import { isId } from '#core/store/ids.js';
import { callingAs, type Membership } from '../identity/principal.js';
import type { CallRequest } from './call-request.js';

// Letters, digits, punctuation, spaces: no control, format or surrogate characters.
const PRINTABLE_KEY = /^\P{C}{1,255}$/u;

/** Checks what can be checked without reading anything. @throws {UserFault} `INVALID` with its field */
export function checkInput(request: CallRequest): void {
  const { connectionType, connectionTypeId, idempotencyKey, timeoutMs } = request;
  if ((connectionType == null) === (connectionTypeId == null)) {
    throw invalid(['connectionType'], 'Say which connection type to call: exactly one of connectionType (its name) and connectionTypeId.');
  }
  if (connectionTypeId != null && request.teamSlug != null) {
    throw invalid(['team'], 'A connectionTypeId already says which team it belongs to: leave team out.');
  }
  if (connectionType != null && !(connectionType.length <= 63 && oneLine(connectionType))) {
    throw invalid(['connectionType'], 'A connection type is called by its name, 1 to 63 lower-case letters, digits or dashes: list the team\'s connectionTypes for the names that there are.');
  }
  if (!(request.tool.length >= 1 && request.tool.length <= MAX_TOOL_NAME && oneLine(request.tool))) {
    throw invalid(['tool'], `Enter the name of a tool: 1 to ${MAX_TOOL_NAME} characters, without control characters.`);
  }
  if (idempotencyKey != null && !(idempotencyKey.length <= 255 && PRINTABLE_KEY.test(idempotencyKey))) {
    throw invalid(['idempotencyKey'], 'An idempotency key is 1 to 255 printable characters, a UUID for example.');
  }
  if (timeoutMs != null && !(Number.isInteger(timeoutMs) && timeoutMs >= 1)) throw invalid(['timeoutMs'], 'A time limit is a whole number of milliseconds, 1 or more.');
}

/**
 * The caller's memberships that the call may be in: the one of the team that a name is looked for in; for an id all, or the one that a token fixes.
 * @throws {UserFault} `NOT_FOUND` for a team that the caller isn't in, `INVALID` where a name needs a team
 */
export function candidateTeams(request: CallRequest): readonly Membership[] {
  const { principal, teamSlug } = request;
  const open = callingAs(principal);
  if (request.connectionTypeId != null) return open;
  if (teamSlug != null) {
    const named = open.filter((membership) => membership.teamSlug === teamSlug);
    if (named.length === 0) throw new UserFault('NOT_FOUND', 'There is no such team, or you are not a member of it.', { field: ['input', 'team'] });
    return named;
  }
  if (open.length > 1) throw invalid(['team'], `You are a member of several teams: say in which one to look for ${JSON.stringify(request.connectionType)}, or give connectionTypeId.`);
  return open;
}

/** The fault of a connection type that isn't there, isn't the caller's to see, or that their assignment has no slot for. */
export function unknownType(request: CallRequest): UserFault {
  if (request.assignmentId != null || request.principal.assignment != null) {
    const field = ['input', request.connectionType != null ? 'connectionType' : 'connectionTypeId'];
    return new UserFault('NOT_FOUND', 'The assignment has no slot for such a connection type: look at its slots for those that it may use.', { field });
  }
  return request.connectionType != null
    ? new UserFault('NOT_FOUND', `There is no connection type ${JSON.stringify(request.connectionType)}: list the team's connectionTypes for the names that there are.`, { field: ['input', 'connectionType'] })
    : new UserFault('NOT_FOUND', 'There is no such connection type: list the team\'s connectionTypes for the ids that there are.', { field: ['input', 'connectionTypeId'] });
}

/** Ids that PostgreSQL would refuse are as unknown as others. */
export function knownId(id: string | null | undefined): id is string {
  return id != null && isId(id);
}

function invalid(path: string[], message: string): UserFault {
  return new UserFault('INVALID', message, { field: ['input', ...path] });
}
