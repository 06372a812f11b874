import { z } from 'zod';
import { CONNECTION_TYPE_STATES, ENROLLMENT_STATES } from '#core/connection/state.js';

/** The status of both kinds: what `kubectl get -o yaml` shows. It is written by the operator alone; the CRDs are generated from it. */

const text = (max: number, description: string) => z.string().max(max).optional().meta({ description });
const time = (description: string) => z.string().max(40).optional().meta({ description, format: 'date-time' });
const count = (description: string) => z.int().min(0).max(2_147_483_647).optional().meta({ description, format: 'int32' });

/** A condition as the Kubernetes API conventions have it. */
export const conditionStatus = z.object({
  type: z.string().max(316).meta({ description: 'What it is about.' }),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().min(1).max(1024).meta({ description: 'In one CamelCase word.' }),
  message: z.string().max(32_768).meta({ description: 'For people; holds no secret.' }),
  lastTransitionTime: z.string().max(40).meta({ description: 'When status flipped.', format: 'date-time' }),
  observedGeneration: z.int().min(0).optional().meta({ description: 'The generation that it speaks of.', format: 'int64' }),
});
export type ConditionStatusEntry = z.output<typeof conditionStatus>;

const shared = {
  observedGeneration: z.int().min(-1).optional().meta({ description: 'The generation that the rest speaks of; -1 until it was looked at.', format: 'int64' }),
  id: text(200, 'The id in GraphQL.'),
  conditions: z.array(conditionStatus).max(32).optional().meta({ description: 'What was observed.', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
  action: z.object({ label: text(300, 'What to do.'), url: text(2048, 'Where.') }).optional().meta({ description: 'What a person should do, if anything.' }),
};

/** `status` of a ConnectionType. */
export const connectionTypeStatus = z.object({
  ...shared,
  state: z.enum(CONNECTION_TYPE_STATES).optional().meta({ description: 'One word for what the conditions say, as in GraphQL.' }),
  protocolVersion: text(100, 'The protocol revision that was spoken last.'),
  server: z.object({ name: text(1000, 'Its name.'), version: text(1000, 'Its version.') }).optional().meta({ description: 'What the server calls itself.' }),
  tools: z.object({ count: count('How many.'), syncedAt: time('When the list last changed.') }).optional().meta({ description: 'The type\'s own list of tools.' }),
  oauth: z.object({
    issuer: text(2048, 'Who issues the logins.'), registrationMethod: text(100, 'How our client came to be.'), clientId: text(2048, 'Our client.'), redirectUri: text(2048, 'What it is registered with.'),
  }).optional().meta({ description: 'With OAUTH: the client.' }),
});
export type ConnectionTypeStatusEntry = z.output<typeof connectionTypeStatus>;

/** `status` of an Enrollment. */
export const enrollmentStatus = z.object({
  ...shared,
  state: z.enum(ENROLLMENT_STATES).optional().meta({ description: 'One word for what the conditions say, as in GraphQL.' }),
  expiresAt: time('Until when the credential works, where that is known.'),
  refreshAt: time('When it will be refreshed.'),
  lastRefreshAt: time('When it was refreshed last.'),
  failedRefreshes: count('Refreshes that failed since the last one that worked.'),
  nextAttemptAt: time('When a failed refresh is tried again.'),
});
export type EnrollmentStatusEntry = z.output<typeof enrollmentStatus>;
