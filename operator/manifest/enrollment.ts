import { z } from 'zod';
import { connectionTypeName, serverUrl } from '#core/connection/spec.js';
import { manifestHeaderName, originField, secretKeyRef, URL_RULES } from './references.js';
import { cel, immutable } from './rule.js';

const ONE_LINE = '!self.matches(\'[\\\\x00-\\\\x1f\\\\x7f]\')';

/**
 * `spec` of an Enrollment manifest. Credentials are never in it: they are named, and stay in their Secrets (design section 8). The CRD is generated from it, and what the API server let
 * through is checked by it again.
 */
export const enrollmentManifest = z.object({
  origin: originField,
  connectionTypeRef: z.object({
    name: connectionTypeName.min(1).max(63).meta({ description: 'The ConnectionType\'s name.' }),
  }).meta({ description: 'For which server, by the name of the ConnectionType in this namespace\'s team. It need not be there yet.', ...cel(immutable('spec.connectionTypeRef')) }),
  serverUrl: serverUrl.optional().meta({ description: 'Where this credential may go. It is suspended while the ConnectionType says otherwise.', ...URL_RULES }),
  owner: z.string().min(1).max(255).meta({
    description: 'Whose it is: a machine user, which is created on first use and can\'t sign in, for credentials from Secrets; for OAUTH the subject or the verified mail address of a member, who consents themselves.',
    ...cel(immutable('spec.owner'), { rule: ONE_LINE, message: 'No line breaks or control characters.' }),
  }),
  label: z.string().max(100).default('').meta({ description: 'Tells several of one owner apart.', ...cel({ rule: ONE_LINE, message: 'No line breaks or control characters.' }) }),
  shared: z.boolean().default(false).meta({ description: 'Whether the team may use it. A person\'s login is shared when that person says so too.' }),
  accessTokenRef: secretKeyRef.optional().meta({ description: 'With ACCESS_TOKEN: where the token is.' }),
  headers: z.array(z.object({
    name: manifestHeaderName,
    value: z.string().max(8192).optional().meta({ description: 'The value itself, where the ConnectionType says that it is no secret.' }),
    valueRef: secretKeyRef.optional().meta({ description: 'Where the value is.' }),
  }).meta(cel({ rule: 'has(self.value) != has(self.valueRef)', message: 'A header has either a value or a valueRef.' }))).max(20).optional().meta({
    description: 'With CUSTOM_HEADERS: the values.', 'x-kubernetes-list-type': 'atomic',
    ...cel({ rule: 'self.all(one, self.exists_one(other, other.name.lowerAscii() == one.name.lowerAscii()))', message: 'A header is given twice.' }),
  }),
}).meta(cel(
  { rule: '!(has(self.accessTokenRef) && has(self.headers))', message: 'A credential is either accessTokenRef or headers, as the ConnectionType\'s auth method has it.' },
  { rule: '!(has(self.accessTokenRef) || has(self.headers)) || has(self.serverUrl)', message: 'Name the server\'s address in serverUrl: a credential only goes where its manifest says.' },
  { rule: 'self.origin == \'MANIFEST\' || !(has(self.accessTokenRef) || has(self.headers))', message: 'A mirror holds no credential.' },
));

/** A manifest's spec with its defaults. */
export type EnrollmentManifest = z.output<typeof enrollmentManifest>;

/** The Secrets that a manifest names, each once. */
export function secretsOf({ accessTokenRef, headers }: Pick<EnrollmentManifest, 'accessTokenRef' | 'headers'>): string[] {
  const refs = [accessTokenRef, ...(headers ?? []).map((header) => header.valueRef)];
  return [...new Set(refs.flatMap((ref) => (ref === undefined ? [] : [ref.name])))];
}
