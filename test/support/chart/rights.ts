import type { KubeObject } from './tools.js';

/** A right that a request takes, as Kubernetes' RBAC sees it: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export interface AskedRight {
  verb: string;
  /** Empty: the core group. */
  group: string;
  /** With its subresource, if it is about one. */
  resource: string;
  /** Empty: in the whole cluster. */
  namespace: string;
  name: string;
}

/** One right that a role gives. */
export interface GivenRight extends AskedRight {
  /** Empty: everywhere. */
  namespace: string;
  /** Empty: whatever the name. */
  name: string;
}

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** The single rights that rendered roles and their bindings give to a service account. */
export function givenRights(objects: readonly KubeObject[], account: { namespace: string; name: string }): GivenRight[] {
  const bindings = objects.filter(({ kind, subjects }) => kind.endsWith('RoleBinding') && (subjects as typeof account[]).some(({ namespace, name }) => namespace === account.namespace && name === account.name));
  return bindings.flatMap((binding) => {
    const reference = binding['roleRef'] as { kind: string; name: string };
    const namespace = binding.kind === 'RoleBinding' ? binding.metadata.namespace! : '';
    const role = objects.find(({ kind, metadata }) => kind === reference.kind && metadata.name === reference.name && (kind === 'ClusterRole' || metadata.namespace === namespace));
    if (role === undefined) throw new Error(`${binding.kind} ${binding.metadata.name} names a role that isn't there: ${reference.name}`);
    return (role['rules'] as Rule[]).flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.flatMap((verb) => resourceNames.map((name) => ({ verb, group, resource, namespace, name }))))));
  });
}

/** What was asked and isn't given, and what is given and wasn't asked. */
export function compareRights(asked: readonly AskedRight[], given: readonly GivenRight[]): { outside: AskedRight[]; unused: GivenRight[] } {
  return {
    outside: asked.filter((request) => !given.some((right) => covers(right, request))),
    unused: given.filter((right) => !asked.some((request) => covers(right, request))),
  };
}

function covers(right: GivenRight, asked: AskedRight): boolean {
  return right.verb === asked.verb && right.group === asked.group && right.resource === asked.resource
    && (right.namespace === '' || right.namespace === asked.namespace) && (right.name === '' || right.name === asked.name);
}

/** For people. */
export function sayRight({ verb, group, resource, namespace, name }: AskedRight): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` ${name}`}${namespace === '' ? '' : ` in ${namespace}`}`;
}
