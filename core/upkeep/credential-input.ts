import { headerNameFault, headerValueFault } from '../connection/header-rules.js';
import type { ConnectionTypeSpec, HeaderSpec } from '../connection/spec.js';
import { isDeclared, type CredentialValue, type HeaderValue } from '../connection/credential.js';
import { UserFault } from '../errors.js';
import type { CredentialField } from '../store/entities/enrollment.entity.js';

/** The credential part of an input. Absent keeps, a value replaces, null clears. */
export interface CredentialInput {
  accessToken?: string | null;
  headers?: { name: string; value?: string | null }[] | null;
}

/** Whether the input touches the credential at all. */
export function touchesCredential(input: CredentialInput): boolean {
  return input.accessToken !== undefined || input.headers !== undefined;
}

/**
 * The credential after `input`, checked against what the type declares; null when it holds nothing any more. Throws `UserFault` INVALID with
 * the field; never echoes a value.
 * @param stored what an enrollment that exists holds now: absent parts are kept of it, and it can be cleared; null for a new enrollment
 */
export function credentialFrom(spec: ConnectionTypeSpec, input: CredentialInput, stored: { value: CredentialValue | null } | null = null): CredentialValue | null {
  const { authMethod } = spec;
  if (authMethod !== 'ACCESS_TOKEN' && input.accessToken != null) throw misplaced('accessToken', authMethod);
  if (authMethod !== 'CUSTOM_HEADERS' && input.headers != null && input.headers.length > 0) throw misplaced('headers', authMethod);
  if (authMethod === 'NONE') return { kind: 'NONE' };
  if (authMethod === 'OAUTH') throw new UserFault('INVALID', 'This connection type\'s auth method is OAUTH: a login is ended with deleteEnrollment, and renewed with startAuthorization.', { field: ['input'] });
  if (authMethod === 'ACCESS_TOKEN') return accessToken(spec, input.accessToken, stored);
  return customHeaders(spec, input.headers, stored);
}

/** What may be shown of a credential: which parts are set, and since when. Parts that didn't change keep their time. */
export function credentialFields(value: CredentialValue | null, old: CredentialValue | null, before: readonly CredentialField[], now: Date): CredentialField[] {
  const parts = partsOf(value);
  const oldParts = partsOf(old);
  const names = new Set([...before.map((field) => field.name), ...parts.keys()]);
  return [...names].map((name) => {
    const kept = before.find((field) => field.name === name);
    if (!parts.has(name)) return { name, isSet: false, updatedAt: null };
    const same = kept?.isSet === true && oldParts.get(name) === parts.get(name);
    return { name, isSet: true, updatedAt: same ? kept.updatedAt : now.toISOString() };
  });
}

function partsOf(value: CredentialValue | null): Map<string, string> {
  if (value?.kind === 'ACCESS_TOKEN') return new Map([['accessToken', value.accessToken]]);
  if (value?.kind === 'CUSTOM_HEADERS') return new Map(value.headers.map((header) => [header.name, header.value]));
  return new Map();
}

function misplaced(field: string, authMethod: string): UserFault {
  return new UserFault('INVALID', `This connection type's auth method is ${authMethod}: leave "${field}" out.`, { field: ['input', field] });
}

type Stored = { value: CredentialValue | null } | null;

function accessToken(spec: ConnectionTypeSpec, given: string | null | undefined, stored: Stored): CredentialValue | null {
  const field = ['input', 'accessToken'];
  if (given === undefined && stored?.value?.kind === 'ACCESS_TOKEN') return stored.value;
  if (given === null && stored !== null) return null;
  if (given == null || given === '') throw new UserFault('INVALID', 'Enter your access token or API key for this server.', { field });
  const fault = headerValueFault(given);
  if (fault !== null) throw new UserFault('INVALID', fault, { field });
  const prefix = spec.accessToken?.prefix.trim() ?? '';
  if (prefix !== '' && given.toLowerCase().startsWith(`${prefix.toLowerCase()} `)) {
    throw new UserFault('INVALID', `Leave "${prefix}" out: it is put before the token for you.`, { field });
  }
  return { kind: 'ACCESS_TOKEN', accessToken: given };
}

function customHeaders(spec: ConnectionTypeSpec, given: CredentialInput['headers'], stored: Stored): CredentialValue | null {
  const values = new Map<string, HeaderValue>();
  const old = stored?.value ?? null;
  // What is no longer declared no longer goes out.
  if (given !== null && old?.kind === 'CUSTOM_HEADERS') for (const header of old.headers.filter((one) => isDeclared(spec, one.name))) values.set(header.name.toLowerCase(), header);
  const seen = new Set<string>();
  given?.forEach((header, index) => {
    const at = (part: string) => ['input', 'headers', String(index), part];
    const lower = header.name.toLowerCase();
    const name = declaredName(spec.headers, header.name);
    if (name === null) throw new UserFault('INVALID', `This connection type declares other headers: ${spec.headers.map((one) => one.name).join(', ')}.`, { field: at('name') });
    const nameFault = headerNameFault(header.name);
    if (nameFault !== null) throw new UserFault('INVALID', nameFault, { field: at('name') });
    if (seen.has(lower)) throw new UserFault('INVALID', 'This header is given twice.', { field: at('name') });
    seen.add(lower);
    if (header.value == null) {
      values.delete(lower);
      return;
    }
    const fault = header.value === '' ? 'Enter a value; null clears it.' : headerValueFault(header.value);
    if (fault !== null) throw new UserFault('INVALID', fault, { field: at('value') });
    values.set(lower, { name, value: header.value, ...(spec.headers.find((one) => one.name === name)?.secret === false && { open: true }) });
  });
  const clears = given === null || (given !== undefined && given.length > 0 && given.every((header) => header.value == null));
  if (values.size === 0 && stored !== null && clears) return null;
  const missing = spec.headers.find((header) => header.required && !values.has(header.name.toLowerCase()));
  if (missing !== undefined) throw new UserFault('INVALID', `Enter a value for ${missing.name}${missing.description === null ? '' : ` (${missing.description})`}.`, { field: ['input', 'headers'] });
  if (values.size === 0) throw new UserFault('INVALID', 'Enter at least one header with its value, as the server\'s documentation names it.', { field: ['input', 'headers'] });
  return { kind: 'CUSTOM_HEADERS', headers: [...values.values()] };
}

/** The name as it is declared; the given one where nothing is declared; null where others are. */
function declaredName(declared: readonly HeaderSpec[], given: string): string | null {
  if (declared.length === 0) return given;
  return declared.find((header) => header.name.toLowerCase() === given.toLowerCase())?.name ?? null;
}
