import type { CredentialValue } from '#core/connection/credential.js';
import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import { targetUrl } from '#core/connection/target.js';
import { UserFault } from '#core/errors.js';
import { credentialFrom } from '#core/upkeep/credential-input.js';
import type { EnrollmentManifest } from '../manifest/enrollment.js';
import type { SecretKeyRef } from '../manifest/references.js';
import type { Cluster } from './cluster.js';
import { refused, type Verdict } from './conditions.js';
import { secretValues } from './secret-values.js';

/** The credential that a manifest names, read from its Secrets and checked against what the type declares; or what is wrong with it, without any value. */
export async function manifestCredential(cluster: Cluster, namespace: string, manifest: EnrollmentManifest, spec: ConnectionTypeSpec): Promise<{ value: CredentialValue } | { verdict: Verdict }> {
  const { accessTokenRef, headers } = manifest;
  const refs = [accessTokenRef, ...(headers ?? []).map((header) => header.valueRef)].filter((ref): ref is SecretKeyRef => ref !== undefined);
  const read = await secretValues(cluster, { namespace, serverUrl: spec.serverUrl }, refs);
  if ('verdict' in read) return read;
  const values = [...read.values];
  const accessToken = accessTokenRef === undefined ? undefined : values.shift();
  const given = headers?.map(({ name, value, valueRef }) => ({ name, value: valueRef === undefined ? value ?? '' : values.shift()! }));
  try {
    return { value: credentialFrom(spec, { accessToken, headers: given })! };
  } catch (error) {
    if (error instanceof UserFault) return { verdict: refused('CredentialInvalid', `${error.publicMessage} (spec.${(error.field ?? []).slice(1).join('.')})`) };
    throw error;
  }
}

/** Why a manifest doesn't fit a connection type, whatever its Secrets hold; null when it does. Pure. */
export function misfit(manifest: EnrollmentManifest, spec: ConnectionTypeSpec): Verdict | null {
  const { accessTokenRef, headers } = manifest;
  const given = accessTokenRef !== undefined ? 'ACCESS_TOKEN' : headers !== undefined ? 'CUSTOM_HEADERS' : null;
  const wanted = spec.authMethod === 'ACCESS_TOKEN' || spec.authMethod === 'CUSTOM_HEADERS' ? spec.authMethod : null;
  if (given === wanted) return inTheOpen(manifest, spec);
  const field = { ACCESS_TOKEN: 'accessTokenRef', CUSTOM_HEADERS: 'headers' };
  const says = wanted === null ? 'takes no credential from a manifest' : `takes ${field[wanted]}`;
  return refused('AuthMethodMismatch', `The auth method of ${JSON.stringify(manifest.connectionTypeRef.name)} is ${spec.authMethod}, which ${says}: ${wanted === null ? `leave ${field[given!]} out` : `name it, and serverUrl`}.`);
}

/** A manifest is for many to read: only what its type says is no secret stands in it. */
function inTheOpen({ headers = [], connectionTypeRef }: EnrollmentManifest, spec: ConnectionTypeSpec): Verdict | null {
  const open = headers.find(({ name, value }) => value !== undefined && spec.headers.find((one) => one.name.toLowerCase() === name.toLowerCase())?.secret !== false);
  if (open === undefined) return null;
  return refused('SecretInManifest', `${JSON.stringify(connectionTypeRef.name)} doesn't say that ${open.name} is no secret: put its value into a Secret, name that in valueRef, and replace what stood here, which others may have read.`);
}

/** Whether the manifest agrees that its credential goes to the type's present address. Pure. */
export function agreesWithAddress(manifest: EnrollmentManifest, spec: ConnectionTypeSpec): boolean {
  if (manifest.serverUrl === undefined) return spec.authMethod === 'NONE';
  return targetUrl(manifest.serverUrl) === targetUrl(spec.serverUrl);
}
