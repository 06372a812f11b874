import { z } from 'zod';
import {
  accessTokenSpec, AUTH_METHODS, callsSpec, connectionTypeSpec, displayName, headerSpec, oauthSpec, scope, serverUrl, toolPattern, toolPolicySpec, type ConnectionTypeSpec, type ConnectionTypeSpecInput,
} from '#core/connection/spec.js';
import { durationMs, durationText } from './duration.js';
import { manifestHeaderName, originField, secretKeyRef, URL_RULES } from './references.js';
import { cel, type CelRule } from './rule.js';

const UNITS = 'One number with its unit (ms, s, m or h), for example 60s';

/** A span of time within bounds. */
const duration = (low: string, high: string, description: string) => z.string().min(2).max(12).meta({
  description,
  ...cel({ rule: `self.matches('^[1-9][0-9]{0,8}(ms|s|m|h)$') && duration(self) >= duration('${low}') && duration(self) <= duration('${high}')`, message: `${UNITS}, from ${low} to ${high}.` }),
});

const within = (what: string, only: string): CelRule => ({ rule: `!has(self.${what}) || self.authMethod == '${only}'`, message: `Only the auth method ${only} has ${what}: leave it out, or choose that method.` });

const patterns = (description: string) => z.array(toolPattern).max(500).meta({ description, 'x-kubernetes-list-type': 'atomic' });

/**
 * `spec` of a ConnectionType manifest: what {@link connectionTypeSpec} holds, made of the same parts, in the way of Kubernetes (spans with units, references to Secrets). The CRD is
 * generated from it; {@link specOfManifest} gives it to the same check as an input of GraphQL.
 */
export const connectionTypeManifest = z.object({
  origin: originField,
  displayName: displayName.meta({ description: 'As people read it.', ...cel({ rule: 'self.trim() != \'\' && !self.matches(\'[\\\\x00-\\\\x1f\\\\x7f]\')', message: 'Enter a name that people will recognise, on one line.' }) }),
  description: z.string().max(2000).optional().meta({ description: 'What it is for.' }),
  serverUrl: serverUrl.meta({ description: 'The MCP endpoint. Another address suspends every enrollment until its owner confirms it.', ...URL_RULES }),
  authMethod: z.enum(AUTH_METHODS).meta({ description: 'How credentials reach the server: NONE, ACCESS_TOKEN, CUSTOM_HEADERS or OAUTH.' }),
  accessToken: z.object({
    header: manifestHeaderName.default('Authorization'),
    prefix: accessTokenSpec.shape.prefix.meta({ description: 'What stands before the token.', ...cel({ rule: 'self.matches(\'^[\\\\x20-\\\\x7e]*$\')', message: 'Printable ASCII only.' }) }),
  }).optional().meta({ description: 'With ACCESS_TOKEN: where the token goes.' }),
  headers: z.array(z.object({
    name: manifestHeaderName,
    description: z.string().max(500).optional().meta({ description: 'What to enter.' }),
    required: headerSpec.shape.required.meta({ description: 'Whether enrolling takes a value.' }),
    secret: headerSpec.shape.secret.meta({ description: 'Whether the value is a secret.' }),
  })).max(20).optional().meta({
    description: 'With CUSTOM_HEADERS: what teammates enter; empty: they name their own headers.', 'x-kubernetes-list-type': 'atomic',
    ...cel({ rule: 'self.all(one, self.exists_one(other, other.name.lowerAscii() == one.name.lowerAscii()))', message: 'A header is declared twice.' }),
  }),
  oauth: z.object({
    clientId: z.string().min(1).max(2048).optional().meta({ description: 'A client that was registered beforehand; left out, the client is registered automatically.', ...cel({ rule: 'self.matches(\'^[\\\\x20-\\\\x7e]+$\')', message: 'Printable ASCII only.' }) }),
    clientSecretRef: secretKeyRef.optional().meta({ description: 'Its secret.' }),
    scopes: z.array(z.string().min(1).max(200).meta(cel({ rule: 'self.matches(\'^[\\\\x21\\\\x23-\\\\x5b\\\\x5d-\\\\x7e]+$\')', message: 'A scope has no spaces, quotes or backslashes: enter one per entry.' })).pipe(scope)).max(100).optional()
      .meta({ description: 'Scopes to ask for; if absent, those that the server names.', 'x-kubernetes-list-type': 'atomic' }),
    allowUnadvertisedPkce: oauthSpec.shape.allowUnadvertisedPkce.meta({ description: 'Admits an authorization server that supports PKCE with S256 but doesn\'t advertise it.' }),
  }).optional().meta({ description: 'With OAUTH: the client.', ...cel({ rule: '!has(self.clientSecretRef) || has(self.clientId)', message: 'A client secret needs its clientId: enter both, or neither for automatic registration.' }) }),
  health: z.object({
    interval: duration('5s', '24h', 'How often the server is looked at.').default('60s'),
    timeout: duration('1s', '60s', 'How long one look may take.').default('10s'),
  }).optional().meta({ description: 'How the server is looked at.' }),
  calls: z.object({
    timeout: duration('1s', '10m', 'How long a call may take.').default('60s'),
    maxResultBytes: callsSpec.shape.maxResultBytes.meta({ description: 'How large a result may be.' }),
    ratePerMinute: z.int().min(1).max(1_000_000).optional().meta({ description: 'Calls a minute; unlimited if absent.' }),
    concurrency: z.int().min(1).max(1000).optional().meta({ description: 'Calls at once; unlimited if absent.' }),
  }).optional().meta({ description: 'Bounds of calls.' }),
  toolPolicy: z.object({
    allow: patterns('Names or patterns with *; all if absent.').optional(),
    deny: patterns('Names or patterns with *; wins over allow.').optional(),
    onChange: toolPolicySpec.shape.onChange.meta({ description: 'What happens when a definition changes: WARN, or BLOCK until a manager accepts it.' }),
    trustAnnotations: toolPolicySpec.shape.trustAnnotations.meta({ description: 'Whether policy may rely on the server\'s annotations.' }),
  }).optional().meta({ description: 'Which tools may be called.' }),
  deletionPolicy: z.enum(['Delete', 'Retain']).default('Delete').meta({ description: 'What deleting this object does: Delete ends the type and its enrollments, Retain keeps them without a manifest.' }),
}).meta(cel(within('accessToken', 'ACCESS_TOKEN'), within('headers', 'CUSTOM_HEADERS'), within('oauth', 'OAUTH')));

/** A manifest's spec with its defaults. */
export type ConnectionTypeManifest = z.output<typeof connectionTypeManifest>;

/** What the catalog stores of a manifest, by the same check as for GraphQL. Throws `ZodError` with the fields of the stored spec. */
export function specOfManifest(manifest: ConnectionTypeManifest): ConnectionTypeSpec {
  const { health, calls, oauth, toolPolicy } = manifest;
  const input: ConnectionTypeSpecInput = {
    displayName: manifest.displayName, description: manifest.description, serverUrl: manifest.serverUrl, authMethod: manifest.authMethod, accessToken: manifest.accessToken,
    headers: manifest.headers,
    oauth: oauth === undefined ? undefined : { clientId: oauth.clientId, scopes: oauth.scopes, allowUnadvertisedPkce: oauth.allowUnadvertisedPkce },
    health: health === undefined ? undefined : { intervalSeconds: milliseconds(health.interval) / 1000, timeoutSeconds: milliseconds(health.timeout) / 1000 },
    calls: calls === undefined ? undefined : { timeoutMs: milliseconds(calls.timeout), maxResultBytes: calls.maxResultBytes, ratePerMinute: calls.ratePerMinute, concurrency: calls.concurrency },
    toolPolicy,
    deletionPolicy: manifest.deletionPolicy === 'Retain' ? 'RETAIN' : 'DELETE',
  };
  return connectionTypeSpec.parse(input);
}

/** The manifest that mirrors a stored spec of origin API; all that is said is said, so that nothing is left to defaults. */
export function manifestOfSpec(spec: ConnectionTypeSpec): z.input<typeof connectionTypeManifest> {
  const { health, calls, oauth, toolPolicy } = spec;
  return {
    origin: 'API', displayName: spec.displayName, ...some({ description: spec.description }), serverUrl: spec.serverUrl, authMethod: spec.authMethod,
    ...some({ accessToken: spec.accessToken }),
    ...(spec.headers.length > 0 && { headers: spec.headers.map(({ description, ...header }) => ({ ...header, ...some({ description }) })) }),
    ...(oauth !== null && { oauth: { ...some({ clientId: oauth.clientId }), ...(oauth.scopes.length > 0 && { scopes: oauth.scopes }), allowUnadvertisedPkce: oauth.allowUnadvertisedPkce } }),
    health: { interval: durationText(health.intervalSeconds * 1000), timeout: durationText(health.timeoutSeconds * 1000) },
    calls: { timeout: durationText(calls.timeoutMs), maxResultBytes: calls.maxResultBytes, ...some({ ratePerMinute: calls.ratePerMinute, concurrency: calls.concurrency }) },
    toolPolicy: {
      ...(toolPolicy.allow.length > 0 && { allow: toolPolicy.allow }), ...(toolPolicy.deny.length > 0 && { deny: toolPolicy.deny }),
      onChange: toolPolicy.onChange, trustAnnotations: toolPolicy.trustAnnotations,
    },
    deletionPolicy: spec.deletionPolicy === 'RETAIN' ? 'Retain' : 'Delete',
  };
}

/** A span that the schema has let through; NaN for one that it hasn't, which the catalog's check refuses. */
function milliseconds(text: string): number {
  return durationMs(text) ?? Number.NaN;
}

function some<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as never;
}
