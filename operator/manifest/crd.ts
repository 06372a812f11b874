import { stringify } from 'yaml';
import { z } from 'zod';
import { connectionTypeManifest } from './connection-type.js';
import { enrollmentManifest } from './enrollment.js';
import { GROUP, RESOURCES, VERSION, type MirroredKind } from './resources.js';
import type { CelRule } from './rule.js';
import { connectionTypeStatus, enrollmentStatus } from './status.js';

interface Column {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description?: string;
}

interface Definition {
  description: string;
  shortNames: string[];
  spec: z.ZodType;
  status: z.ZodType;
  rules: CelRule[];
  columns: Column[];
}

const condition = (name: string, field: string): string => `.status.conditions[?(@.type=="${name}")].${field}`;
const READY: Column[] = [
  { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
  { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason') },
];
const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const DEFINITIONS: Record<MirroredKind, Definition> = {
  ConnectionType: {
    description: 'An MCP server in a team\'s catalog, which teammates enroll with. Holds no credential.',
    shortNames: ['ct'], spec: connectionTypeManifest, status: connectionTypeStatus,
    rules: [{ rule: 'self.metadata.name.matches(\'^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$\')', message: 'A name is a DNS label: 1 to 63 lower-case letters, digits or dashes, for example warehouse-api.' }],
    columns: [
      ...READY, { name: 'Auth', type: 'string', jsonPath: '.spec.authMethod' }, { name: 'Server', type: 'string', jsonPath: '.spec.serverUrl' },
      { name: 'Tools', type: 'integer', jsonPath: '.status.tools.count' }, AGE,
    ],
  },
  Enrollment: {
    description: 'A credential for one ConnectionType: that of a machine user, from Secrets, or the login of a person, who consents themselves. Holds no credential.',
    shortNames: ['enr'], spec: enrollmentManifest, status: enrollmentStatus, rules: [],
    columns: [
      ...READY, { name: 'Type', type: 'string', jsonPath: '.spec.connectionTypeRef.name' }, { name: 'Owner', type: 'string', jsonPath: '.spec.owner' },
      // As text: a date is shown as an age, and one to come as "<invalid>".
      { name: 'Expires', type: 'string', jsonPath: '.status.expiresAt' }, AGE,
    ],
  },
};

/** The CustomResourceDefinition of a kind, as YAML: structural, generated from the zod specs that check what is imported. */
export function crdDocument(kind: MirroredKind): string {
  const { description, shortNames, spec, status, rules, columns } = DEFINITIONS[kind];
  const plural = RESOURCES[kind];
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP, scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories: ['fairlead'] },
      versions: [{
        name: VERSION, served: true, storage: true,
        additionalPrinterColumns: columns,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object', description, required: ['spec'],
            ...(rules.length > 0 && { 'x-kubernetes-validations': rules }),
            properties: {
              apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' },
              spec: { description: 'What is wanted.', ...structural(spec) },
              // So that who waits for observedGeneration waits rightly from the first moment on.
              status: { description: 'What was observed.', default: { observedGeneration: -1 }, ...structural(status) },
            },
          },
        },
      }],
    },
  };
  return stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** A zod schema as a structural schema (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema). */
function structural(schema: z.ZodType): object {
  return cleaned(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0', reused: 'inline' })) as object;
}

/** Without what the API server doesn't know, and without patterns, whose messages nobody understands: rules say the same in words. */
function cleaned(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(cleaned);
  if (typeof node !== 'object' || node === null) return node;
  const { pattern: _pattern, additionalProperties: _closed, $schema: _dialect, ...rest } = node as Record<string, unknown>;
  return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, key === 'default' ? value : cleaned(value)]));
}
