import { describe, expect, it } from '@jest/globals';
import { compareRights, givenRights, sayRight, type AskedRight } from '#test/support/chart/rights.js';
import type { KubeObject } from '#test/support/chart/tools.js';
import { askedRights, refusedToOperators } from '#test/support/control-plane/operator-requests.js';
import type { LoggedRequest } from '#test/support/control-plane/request-log.js';

/** The judge of least privilege, on rights that are planted. */

const ACCOUNT = { kind: 'ServiceAccount', namespace: 'fairlead', name: 'operator' };
const role = (kind: 'Role' | 'ClusterRole', name: string, rules: object[], namespace?: string): KubeObject => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name, namespace }, rules });
const binding = (kind: 'RoleBinding' | 'ClusterRoleBinding', name: string, subject: object, namespace?: string): KubeObject =>
  ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name, namespace }, roleRef: { kind: kind.replace('Binding', ''), name }, subjects: [subject] });
const OBJECTS = [
  role('ClusterRole', 'everywhere', [{ apiGroups: [''], resources: ['namespaces'], verbs: ['list'] }]), binding('ClusterRoleBinding', 'everywhere', ACCOUNT),
  role('Role', 'here', [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }, { apiGroups: ['x.dev'], resources: ['leases'], verbs: ['update'], resourceNames: ['mine'] }], 'here'), binding('RoleBinding', 'here', ACCOUNT, 'here'),
  role('ClusterRole', 'others', [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]), binding('ClusterRoleBinding', 'others', { ...ACCOUNT, name: 'somebody-else' }),
];
const asked = (right: Partial<AskedRight>): AskedRight => ({ verb: 'get', group: '', resource: 'secrets', namespace: 'here', name: 'one', ...right });
const ALL = [asked({}), asked({ verb: 'list', resource: 'namespaces', namespace: '', name: '' }), asked({ verb: 'update', group: 'x.dev', resource: 'leases', name: 'mine' })];

describe('the rights that are asked for and the rights that are given', () => {
  const given = givenRights(OBJECTS, ACCOUNT);

  it('agree where each is used and none is missing', () => {
    expect(given).toHaveLength(3);
    expect(compareRights(ALL, given)).toEqual({ outside: [], unused: [] });
  });

  it.each([
    ['another verb', { verb: 'list' }], ['another namespace', { namespace: 'there' }], ['the whole cluster', { namespace: '' }], ['another group', { group: 'x.dev' }], ['a subresource', { resource: 'secrets/status' }],
    ['another name where one is named', { verb: 'update', group: 'x.dev', resource: 'leases', name: 'yours' }],
  ])('differ by %s', (_difference, right) => {
    expect(compareRights([...ALL, asked(right)], given).outside).toEqual([asked(right)]);
  });

  it('differ by what nobody asked for', () => {
    expect(compareRights(ALL.slice(1), given).unused.map(sayRight)).toEqual(['get secrets in here']);
  });
});

const request = (more: Partial<LoggedRequest>): LoggedRequest => ({ user: 'u', verb: 'patch', group: 'g', resource: 'r', subresource: '', namespace: 'n', name: 'o', status: 200, forbidden: false, uri: '/', userAgent: 'fairlead-operator/1', ...more });

it('what RBAC refused an operator, and never let through, is told', () => {
  const refused = { status: 403, forbidden: true };
  expect(refusedToOperators([request({ ...refused, subresource: 'status' }), request({ ...refused, verb: 'get', group: '', namespace: '' }), request({ ...refused, verb: 'list', userAgent: 'kubectl/1' }), request({ status: 403, verb: 'delete' })]))
    .toEqual(['patch r/status.g in n', 'get r in the cluster']);
  expect(refusedToOperators([request(refused), request({ name: 'another' }), request({ ...refused, namespace: 'm' })])).toEqual(['patch r.g in m']);
});

it('only an operator\'s requests count, and an apply that makes an object asks for making it', () => {
  const verbs = (...requests: LoggedRequest[]) => askedRights(requests).map(({ verb, resource }) => `${verb} ${resource}`);
  expect(verbs(request({}), request({}))).toEqual(['patch r']);
  expect(verbs(request({ status: 201, subresource: 'status' }))).toEqual(['patch r/status', 'create r/status']);
  expect(verbs(request({ userAgent: 'kubectl/1' }), request({ resource: '' }))).toEqual([]);
});
