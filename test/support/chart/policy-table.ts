import { API_VERSION, FINALIZER, ID_ANNOTATION, PAUSED_ANNOTATION } from '#operator/manifest/resources.js';
import type { KubeObject } from './tools.js';

/** Who writes, and by which name the API server knows them. */
export const WRITERS = {
  operator: 'system:serviceaccount:fairlead:fairlead-operator',
  person: 'ada@example.com',
  administrator: 'kubernetes-admin',
  'a namesake of the operator in another namespace': 'system:serviceaccount:elsewhere:fairlead-operator',
  'the API of the same release': 'system:serviceaccount:fairlead:fairlead-api',
  'the namespace controller': 'system:serviceaccount:kube-system:namespace-controller',
  'the garbage collector': 'system:serviceaccount:kube-system:generic-garbage-collector',
  'a controller manager without accounts': 'system:kube-controller-manager',
} as const;
export type Writer = keyof typeof WRITERS;

/** A write: what is there before, and what is to be; null where there is nothing. */
export interface Write {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  subresource: '' | 'status';
  before: KubeObject | null;
  after: KubeObject | null;
}

/** One line of the table. */
export interface PolicyCase {
  writer: Writer;
  what: string;
  write: Write;
  refused: boolean;
}

const NAMESPACE = 'logistics';
const ID = 'Q29ubmVjdGlvblR5cGU6MQ';

/** An object of that origin. @param change what is said otherwise */
function object(kind: 'ConnectionType' | 'Enrollment', origin: 'API' | 'MANIFEST', change: { spec?: object; metadata?: object; status?: object } = {}): KubeObject {
  const spec = kind === 'ConnectionType' ? { displayName: 'One', serverUrl: 'https://example.com/mcp', authMethod: 'NONE' } : { connectionTypeRef: { name: 'one' }, owner: 'robot' };
  return {
    apiVersion: API_VERSION, kind, metadata: { name: 'one', namespace: NAMESPACE, ...(origin === 'API' && { annotations: { [ID_ANNOTATION]: ID } }), ...change.metadata },
    spec: { ...spec, origin, ...change.spec }, ...(change.status !== undefined && { status: change.status }),
  };
}

function writesOf(kind: 'ConnectionType' | 'Enrollment', origin: 'API' | 'MANIFEST'): { what: string; write: Write; harmless?: true }[] {
  const before = object(kind, origin);
  const annotations = before.metadata.annotations ?? {};
  const update = (what: string, after: KubeObject, more: Partial<Write> = {}) => ({ what, write: { operation: 'UPDATE' as const, subresource: '' as const, before, after, ...more } });
  return [
    { what: 'makes one', write: { operation: 'CREATE', subresource: '', before: null, after: before } },
    { what: 'deletes one', write: { operation: 'DELETE', subresource: '', before, after: null } },
    update('changes the spec of one', object(kind, origin, { spec: kind === 'ConnectionType' ? { displayName: 'Two' } : { shared: true } })),
    { ...update('labels one', object(kind, origin, { metadata: { labels: { a: 'b' } } })), harmless: true },
    { ...update('pauses one', object(kind, origin, { metadata: { annotations: { ...annotations, [PAUSED_ANNOTATION]: 'true' } } })), harmless: true },
    update('puts a finalizer on one', object(kind, origin, { metadata: { finalizers: ['example.com/other'] } })),
    update('says that one mirrors another row', object(kind, origin, { metadata: { annotations: { ...annotations, [ID_ANNOTATION]: 'other' } } })),
    update('writes the status of one', object(kind, origin, { status: { state: 'READY' } }), { subresource: 'status' }),
  ];
}

const SYSTEM: readonly Writer[] = ['operator', 'the namespace controller', 'the garbage collector', 'a controller manager without accounts'];

/** Writers by origins by operations: only what mirrors the API is guarded, from all but the operator and what cleans up. */
export const POLICY_TABLE: readonly PolicyCase[] = (Object.keys(WRITERS) as Writer[]).flatMap((writer) =>
  (['ConnectionType', 'Enrollment'] as const).flatMap((kind) => (['API', 'MANIFEST'] as const).flatMap((origin) =>
    writesOf(kind, origin).map(({ what, write, harmless = false }) => ({ writer, what: `${what}, a ${kind} of origin ${origin}`, write, refused: origin === 'API' && !harmless && !SYSTEM.includes(writer) })))));

/** Lines that aren't of that form. */
export const ODD_CASES: readonly PolicyCase[] = [
  // What a request says of itself isn't what is stored (the CRD's own rule refuses both, too).
  { writer: 'person', what: 'says that a mirror is a manifest', write: { operation: 'UPDATE', subresource: '', before: object('ConnectionType', 'API'), after: object('ConnectionType', 'MANIFEST') }, refused: true },
  { writer: 'person', what: 'deletes a manifest that has our finalizer', write: { operation: 'DELETE', subresource: '', before: object('ConnectionType', 'MANIFEST', { metadata: { finalizers: [FINALIZER] } }), after: null }, refused: false },
  { writer: 'person', what: 'makes a manifest that says nothing of its origin', write: { operation: 'CREATE', subresource: '', before: null, after: object('ConnectionType', 'MANIFEST', { spec: { origin: undefined } }) }, refused: false },
];
