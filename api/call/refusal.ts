import type { UserFault } from '#core/errors.js';
import type { NewAuditEvent } from '#core/store/audit-trail.js';
import type { Membership } from '../identity/principal.js';
import type { CallRequest } from './call-request.js';
import type { Route } from './route.js';

/** What is known of a request when it is refused. */
export interface About {
  membership: Membership | null;
  route: Route | null;
}

/** What the audit trail says of a request that was refused before anything was sent. */
export function refusal({ principal, requestId }: CallRequest, { membership, route }: About, fault: UserFault): NewAuditEvent {
  return {
    teamId: membership?.teamId ?? null, actorId: membership?.memberId ?? null, actorName: principal.displayName, onBehalfOfName: principal.assignment?.onBehalfOf === true ? principal.displayName : null,
    tokenId: principal.tokenId, action: 'callTool', subjectType: route === null ? null : 'ConnectionType', subjectId: route?.typeId ?? null, subjectName: route?.typeName ?? null,
    outcome: 'REFUSED', code: fault.code, requestId,
  };
}
