import { condition } from '#core/connection/condition.js';
import { enrollmentState } from '#core/connection/state.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { UserFault, type NextAction } from '#core/errors.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Context } from '../../context.js';
import { nodeId } from '../../graphql/node-id.js';
import { once } from '../../graphql/once.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { memberView } from '../team/team.view.js';

/** An enrollment as GraphQL shows it; relations and status are loaded when they are selected. */
export function enrollmentView(enrollment: Enrollment, context: Context) {
  const { loaders } = context;
  const type = once(async () => found(await loaders.connectionType.load(enrollment.connectionTypeId)));
  const conditions = once(async () => (await loaders.enrollmentStatus.load(enrollment.id))?.conditions ?? []);
  const state = once(async () => {
    const [own, of, status] = await Promise.all([conditions(), type(), loaders.typeStatus.load(enrollment.connectionTypeId)]);
    return enrollmentState(own, !sameTarget(enrollment.confirmedTarget, currentTarget(of.spec)), status?.conditions ?? []);
  });
  const page = async () => context.links.enroll(found(await loaders.team.load(enrollment.teamId)).slug, (await type()).name);
  return {
    __typename: 'Enrollment' as const,
    id: nodeId('Enrollment', enrollment.id),
    label: enrollment.label,
    shared: enrollment.shared,
    origin: enrollment.origin,
    owner: async () => memberView(found(await loaders.member.load(enrollment.ownerId))),
    connectionType: async () => connectionTypeView(await type(), context),
    state,
    action: async (): Promise<NextAction | null> => {
      switch (await state()) {
        case 'SUSPENDED':
          return { label: `Confirm ${(await type()).spec.serverUrl}`, url: await page() };
        case 'PENDING_AUTHORIZATION':
          return { label: `Sign in to ${(await type()).spec.displayName}`, url: await page() };
        case 'ACTION_REQUIRED': {
          const of = await type();
          if (of.spec.authMethod === 'OAUTH') return { label: `Sign in to ${of.spec.displayName} again`, url: await page() };
          return { label: condition(await conditions(), 'Authorized')?.reason === 'CredentialMissing' ? 'Enter a credential' : 'Enter a new credential', url: await page() };
        }
        default:
          return null;
      }
    },
    manifest: enrollment.origin !== 'MANIFEST' ? null : () => loaders.manifest.load(enrollment.id),
    conditions,
    credential: async () => {
      const credential = found(await loaders.credential.load(enrollment.id));
      const grant = credential.kind === 'OAUTH' ? await loaders.oauthGrant.load(enrollment.id) : null;
      return {
        kind: credential.kind, fields: credential.fields, scopes: grant?.scopes ?? [], expiresAt: grant?.expiresAt ?? null, refreshAt: grant?.refreshAt ?? null,
        lastRefreshAt: grant?.lastRefreshAt ?? null, failedRefreshes: grant?.failedRefreshes ?? 0, nextAttemptAt: grant?.nextAttemptAt ?? null,
      };
    },
    createdAt: enrollment.createdAt,
    updatedAt: enrollment.updatedAt,
  };
}

function found<T>(row: T | null): T {
  if (row === null) throw new UserFault('NOT_FOUND', 'The enrollment was deleted while it was read.');
  return row;
}
