import type { KubeObject } from './tools.js';
import { render } from './tools.js';

/** The least values of the chart, with which its roles can be rendered. @param mirror as in values.yaml */
export function valuesWithMirror(mirror: object): string {
  return JSON.stringify({
    image: { repository: 'fairlead' }, publicUrl: 'https://fairlead.example.com', database: { existingSecret: 'database' }, keys: { existingSecret: 'keys' },
    oidc: { issuer: 'https://login.example.com', audience: 'fairlead' }, mirror,
  });
}

/** Where the tests' operators have their Lease: in the namespace of their kubeconfig. */
export const OPERATOR_PLACE = { namespace: 'default', name: 'fairlead-operator' };

/** Whom the control planes know as operators; two of them, where two are told apart. */
const OPERATORS = ['system:serviceaccount:fairlead:fairlead-operator', 'other'];

/** The chart's roles and bindings for the operator, with the tests' operators in the place of its service account. */
export async function operatorRoles(mirror: object): Promise<KubeObject[]> {
  const objects = await render(valuesWithMirror(mirror), { namespace: OPERATOR_PLACE.namespace });
  const roles = objects.filter(({ apiVersion, metadata }) => apiVersion.startsWith('rbac.') && metadata.labels?.['app.kubernetes.io/component'] === 'operator');
  return roles.map((object) => (object['roleRef'] === undefined ? object : { ...object, subjects: OPERATORS.map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })) }));
}
