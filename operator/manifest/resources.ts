/** The API group of the custom resources. */
export const GROUP = 'fairlead.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** What is mirrored. */
export const MIRRORED_KINDS = ['ConnectionType', 'Enrollment'] as const;
export type MirroredKind = (typeof MIRRORED_KINDS)[number];

/** The resources of the kinds, as they stand in paths. */
export const RESOURCES: Record<MirroredKind, string> = { ConnectionType: 'connectiontypes', Enrollment: 'enrollments' };

/** A namespace with this label belongs to the team of that slug. */
export const TEAM_LABEL = 'fairlead.dev/team';
/** Only Secrets with this label, as `"true"`, are read. */
export const CREDENTIAL_LABEL = 'fairlead.dev/credential';
/** On a Secret: the servers that its values may be sent to, by their addresses, with white space or commas between them. Without it, those that a manifest of the namespace names. */
export const CREDENTIAL_SERVERS_ANNOTATION = 'fairlead.dev/credential-servers';
/** An object with this annotation, as `"true"`, is left alone. */
export const PAUSED_ANNOTATION = 'fairlead.dev/paused';
/** On a manifest: the id in GraphQL of what it takes over. */
export const ADOPT_ANNOTATION = 'fairlead.dev/adopt';
/** On a mirror: the id of what it mirrors. */
export const ID_ANNOTATION = 'fairlead.dev/id';
/** Keeps a manifest until PostgreSQL knows of its deletion. */
export const FINALIZER = 'fairlead.dev/mirror';

/** A custom resource as the API server gives it. Treated as frozen. */
export interface CustomResource {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    finalizers?: string[];
  };
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
}
