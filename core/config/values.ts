import { isIP } from 'node:net';
import { z } from 'zod';
import { AllowRulesInvalid, parseAllowRules } from '../egress/allow-rules.js';
import { KeyRing } from '../vault/key-ring.js';
import { VaultError } from '../vault/vault-error.js';

/** Schemas from the text of one setting to its value. Most only say yes or no: what is expected stands beside the key. */

/** Marks an issue whose message says by itself, and without secrets, what is wrong. */
export const EXPLAINED = { explained: true };

const refuse = (context: z.RefinementCtx): never => {
  context.addIssue({ code: 'custom', message: 'refused' });
  return z.NEVER;
};

const parseUrl = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null);

/** Any text. */
export const text = z.string();

/** A whole number in decimal digits, within bounds. */
export const wholeNumber = (min: number, max: number) => z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));

/** A namespace of Kubernetes: a DNS label (RFC 1123). */
export const namespace = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

/** A comma-separated list of namespaces, at least one. */
export const namespaces = z.string().transform((value) => value.split(',').map((name) => name.trim()).filter((name) => name !== '')).pipe(z.array(namespace).min(1));

/** A share from 0 to 1. */
export const share = z.string().regex(/^(?:0|1|0?\.\d+|1\.0+)$/).transform(Number);

/** Header fields as OpenTelemetry writes them: comma-separated `name=value`, percent-encoded (https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables). */
export const headerFields = z.string().transform((value, context): Record<string, string> => {
  const fields = value.split(',').filter((field) => field.trim() !== '').map((field) => /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(.*?)\s*$/.exec(field));
  try {
    return Object.fromEntries(fields.map((field) => [field![1]!, decodeURIComponent(field![2]!)]));
  } catch {
    return refuse(context);
  }
});

/** A port, or null for `off`. */
export const portOrOff = z.union([z.literal('off').transform(() => null), wholeNumber(0, 65_535)]);

/** `on` or `off`, also as `true`, `false`, `1`, `0`. */
export const onOff = z.enum(['on', 'off', 'true', 'false', '1', '0']).transform((word) => word === 'on' || word === 'true' || word === '1');

/** An address or host name to listen on, without port; brackets around IPv6 are taken off. */
export const listenHost = z.string().transform((value, context) => {
  const host = value.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) ? host : refuse(context);
});

/** A `postgres:` URL, as it is. */
export const postgresUrl = z.string().refine((value) => ['postgres:', 'postgresql:'].includes(parseUrl(value)?.protocol ?? ''));

/** An http(s) URL without credentials, query and fragment; a trailing slash is taken off. */
export const baseUrl = z.string().transform((value, context) => {
  const url = parseUrl(value);
  const plain = url !== null && ['http:', 'https:'].includes(url.protocol) && url.username + url.password + url.search + url.hash === '';
  return plain ? url.href.replace(/\/$/, '') : refuse(context);
});

/**
 * The URL of a client ID metadata document, kept to the letter, since it is the client ID
 * (https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document#section-3).
 */
export const clientMetadataUrl = z.string().refine((value) => {
  const url = parseUrl(value);
  return url !== null && url.href === value && url.protocol === 'https:' && url.pathname !== '/' && url.username + url.password + url.hash === '';
});

/** An issuer identifier (OpenID Connect Discovery 1.0, section 3), kept to the letter: https, or http on this machine. */
export const issuer = z.string().refine((value) => {
  const url = parseUrl(value);
  if (url === null || url.search + url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1')));
});

/** Entries between commas; blanks around them and empty entries don't count. */
export const list = z.string().transform((value) => value.split(',').map((entry) => entry.trim()).filter((entry) => entry !== ''));

/** Exact web origins (RFC 6454), e.g. `https://console.example.com`. */
export const origins = list.refine((entries) => entries.every((entry) => ['http:', 'https:'].includes(parseUrl(entry)?.protocol ?? '') && new URL(entry).origin === entry));

/** The allow list of the egress guard, checked and left as text. */
export const allowRules = z.string().superRefine((value, context) => {
  try {
    parseAllowRules(value);
  } catch (error) {
    if (!(error instanceof AllowRulesInvalid)) throw error;
    context.addIssue({ code: 'custom', message: error.message, params: EXPLAINED });
  }
});

/** A key ring, checked and left as text. */
export const keyRing = z.string().superRefine((value, context) => {
  try {
    KeyRing.parse(value);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    context.addIssue({ code: 'custom', message: error.faults.join(' '), params: EXPLAINED });
  }
});

/** Roles in a team, weakest first. */
export const GROUP_ROLES = ['MEMBER', 'MANAGER', 'ADMIN'] as const;

/** What membership in a group of the issuer means here. */
export interface GroupRule {
  group: string;
  team: string;
  role: (typeof GROUP_ROLES)[number];
}

/** `group=team:ROLE` entries; a group's name may itself hold `=` and `:`. */
export const groupRules = list.transform((entries, context): GroupRule[] => entries.map((entry) => {
  const parts = /^(.+)=([a-z0-9]([a-z0-9-]*[a-z0-9])?):(MEMBER|MANAGER|ADMIN)$/.exec(entry);
  return parts === null ? refuse(context) : { group: parts[1]!, team: parts[2]!, role: parts[4] as GroupRule['role'] };
}));

/** Whether an address to listen on is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Whether it stands for every address of the machine, so that it is none that anybody could open. */
export function isWildcard(host: string): boolean {
  return /^(::ffff:)?[0.:]+$/i.test(host);
}
