import { condition } from '#core/connection/condition.js';
import { enrollmentState, type EnrollmentState } from '#core/connection/state.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { UserFault, type NextAction } from '#core/errors.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Context } from '../../context.js';
import { nodeId } from '../../graphql/node-id.js';
import { once } from '../../graphql/once.js';
import { whenThere } from '../../graphql/when-there.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { memberView } from '../team/team.view.js';

/** The states in which there is something to do. */
const FOR_ITS_OWNER: ReadonlySet<EnrollmentState> = new Set(['SUSPENDED', 'PENDING_AUTHORIZATION', 'ACTION_REQUIRED']);

/** An enrollment as GraphQL shows it; relations and status are loaded when they are selected. */
export function enrollmentView(enrollment: Enrollment, context: Context) {
  const { loaders } = context;
  const type = () => whenThere([loaders.connectionType.get(enrollment.connectionTypeId)], found);
  const login = () => whenThere([loaders.login.get(enrollment.id)], found);
  const state = once(() => whenThere([login(), type(), loaders.typeStatus.get(enrollment.connectionTypeId)], (own, of, status) => (
    enrollmentState(own.conditions, !sameTarget(enrollment.confirmedTarget, currentTarget(of.spec)), status?.conditions ?? [])
  )));
  const action = async (now: EnrollmentState): Promise<NextAction | null> => {
    const [{ name, spec }, team, { conditions }] = await Promise.all([type(), loaders.team.load(enrollment.teamId), login()]);
    const url = context.links.enroll(found(team).slug, name);
    if (now === 'SUSPENDED') return { label: `Confirm ${spec.serverUrl}`, url };
    if (now === 'PENDING_AUTHORIZATION') return { label: `Sign in to ${spec.displayName}`, url };
    if (spec.authMethod === 'OAUTH') return { label: `Sign in to ${spec.displayName} again`, url };
    return { label: condition(conditions, 'Authorized')?.reason === 'CredentialMissing' ? 'Enter a credential' : 'Enter a new credential', url };
  };
  return {
    __typename: 'Enrollment' as const,
    id: nodeId('Enrollment', enrollment.id),
    label: enrollment.label,
    shared: enrollment.shared,
    origin: enrollment.origin,
    owner: () => whenThere([loaders.member.get(enrollment.ownerId)], (member) => memberView(found(member))),
    connectionType: () => whenThere([type()], (of) => connectionTypeView(of, context)),
    state,
    action: () => whenThere([state()], (now) => (FOR_ITS_OWNER.has(now) ? action(now) : null)),
    manifest: enrollment.origin !== 'MANIFEST' ? null : () => loaders.manifest.load(enrollment.id),
    conditions: () => whenThere([login()], ({ conditions }) => conditions),
    credential: login,
    createdAt: enrollment.createdAt,
    updatedAt: enrollment.updatedAt,
  };
}

function found<T>(row: T | null): T {
  if (row === null) throw new UserFault('NOT_FOUND', 'The enrollment was deleted while it was read.');
  return row;
}
