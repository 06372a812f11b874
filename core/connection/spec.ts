import { z } from 'zod';
import { headerNameFault } from './header-rules.js';
import { oneLine, isProse } from './text.js';

/** How a teammate's credential reaches the server. */
export const AUTH_METHODS = ['NONE', 'ACCESS_TOKEN', 'CUSTOM_HEADERS', 'OAUTH'] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

/** Who owns an object's spec; immutable. */
export const ORIGINS = ['API', 'MANIFEST'] as const;
export type Origin = (typeof ORIGINS)[number];

export const TOOL_CHANGE_POLICIES = ['WARN', 'BLOCK'] as const;
export type ToolChangePolicy = (typeof TOOL_CHANGE_POLICIES)[number];

export const DELETION_POLICIES = ['DELETE', 'RETAIN'] as const;

/** The name of a request header that a credential may go into. */
export const headerName = z.string().superRefine((name, context) => {
  const fault = headerNameFault(name);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

/** A URL as text: absolute http or https, without credentials or fragment. Whether it may be reached is the egress guard's decision. */
export const serverUrl = z.string().trim().max(2048, 'A server URL has at most 2,048 characters.').transform((text, context) => {
  const fail = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  // The URL parser drops line breaks and tabs without a word: what is stored has to be what was entered.
  if (!oneLine(text)) return fail('A server URL has no line breaks, tabs or other control characters.');
  if (!URL.canParse(text)) return fail('Enter an absolute URL, for example https://mcp.example.com/mcp.');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return fail('Only servers with streamable HTTP can be connected: the URL starts with https://. A server that runs as a local command (stdio) needs an HTTP endpoint first.');
  }
  if (url.username !== '' || url.password !== '') return fail('Leave credentials out of the URL: each teammate enters their own when they enroll.');
  if (url.hash !== '') return fail('Leave out the part from # on.');
  return url.href;
});

/** The name of a connection type: a DNS label (RFC 1123), unique in its team. */
export const connectionTypeName = z.string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'A name is a DNS label: 1 to 63 lower-case letters, digits or dashes, for example warehouse-api.');

/** A single line that people read. */
export const displayName = z.string().trim().min(1, 'Enter a name that people will recognise.').max(100, 'At most 100 characters.')
  .refine(oneLine, 'No line breaks or control characters.');

export const accessTokenSpec = z.object({
  header: headerName.default('Authorization'),
  prefix: z.string().max(64, 'At most 64 characters.').refine((text) => /^[\x20-\x7e]*$/.test(text), 'Printable ASCII only.').default('Bearer '),
});

export const headerSpec = z.object({
  name: headerName,
  description: z.string().max(500, 'At most 500 characters.').refine(isProse, 'No control characters.').nullish().transform((text) => text ?? null),
  required: z.boolean().default(true),
  secret: z.boolean().default(true),
});
export type HeaderSpec = z.output<typeof headerSpec>;

const seconds = (low: number, high: number, preset: number) => z.int(`Whole seconds, ${low} to ${high}.`).min(low, `At least ${low}.`).max(high, `At most ${high}.`).default(preset);

export const healthSpec = z.object({ intervalSeconds: seconds(5, 86_400, 60), timeoutSeconds: seconds(1, 60, 10) });

export const callsSpec = z.object({
  timeoutMs: z.int().min(1000, 'At least 1,000.').max(600_000, 'At most 600,000.').default(60_000),
  maxResultBytes: z.int().min(1024, 'At least 1,024.').max(16_777_216, 'At most 16 MiB.').default(1_048_576),
  ratePerMinute: z.int().min(1, 'At least 1.').max(1_000_000, 'At most 1,000,000.').nullish().transform((n) => n ?? null),
  concurrency: z.int().min(1, 'At least 1.').max(1000, 'At most 1,000.').nullish().transform((n) => n ?? null),
});

/** A tool's name, or a pattern for several. */
export const toolPattern = z.string().min(1, 'A tool\'s name, or a pattern with *.').max(128, 'At most 128 characters.').refine(oneLine, 'No line breaks or control characters.');
export const toolPolicySpec = z.object({
  allow: z.array(toolPattern).max(500, 'At most 500 entries.').default([]),
  deny: z.array(toolPattern).max(500, 'At most 500 entries.').default([]),
  onChange: z.enum(TOOL_CHANGE_POLICIES).default('WARN'),
  trustAnnotations: z.boolean().default(false),
});
export type ToolPolicy = z.output<typeof toolPolicySpec>;

/** A scope is one or more characters of RFC 6749 section 3.3 (https://www.rfc-editor.org/rfc/rfc6749#section-3.3). */
export const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'A scope has no spaces, quotes or backslashes: enter one per entry.');

/** The OAuth client's public side; its secret is kept apart, sealed. */
export const oauthSpec = z.object({
  clientId: z.string().trim().min(1, 'Enter the client ID, or leave it out for automatic registration.').max(2048, 'At most 2,048 characters.').refine((text) => /^[\x20-\x7e]+$/.test(text), 'Printable ASCII only.').nullish().transform((id) => id ?? null),
  scopes: z.array(scope).max(100, 'At most 100 scopes.').default([]),
  allowUnadvertisedPkce: z.boolean().default(false),
});
export type OAuthSpec = z.output<typeof oauthSpec>;

/**
 * What a manager declares about a server (design section 4). Never a teammate's credential.
 * Parsing fills in every default, so that a stored spec is complete.
 */
export const connectionTypeSpec = z.object({
  displayName,
  description: z.string().max(2000, 'At most 2,000 characters.').refine(isProse, 'No control characters.').nullish().transform((text) => text ?? null),
  serverUrl,
  authMethod: z.enum(AUTH_METHODS),
  accessToken: accessTokenSpec.nullish().transform((value) => value ?? null),
  headers: z.array(headerSpec).max(20, 'At most 20 headers.').default([]),
  oauth: oauthSpec.nullish().transform((value) => value ?? null),
  health: healthSpec.default(() => healthSpec.parse({})),
  calls: callsSpec.default(() => callsSpec.parse({})),
  toolPolicy: toolPolicySpec.default(() => toolPolicySpec.parse({})),
  deletionPolicy: z.enum(DELETION_POLICIES).default('DELETE'),
}).superRefine((spec, context) => {
  if (spec.authMethod !== 'ACCESS_TOKEN' && spec.accessToken !== null) {
    context.addIssue({ code: 'custom', path: ['accessToken'], message: 'Only the auth method ACCESS_TOKEN has an accessToken: leave it out, or choose that method.' });
  }
  if (spec.authMethod !== 'CUSTOM_HEADERS' && spec.headers.length > 0) {
    context.addIssue({ code: 'custom', path: ['headers'], message: 'Only the auth method CUSTOM_HEADERS declares headers: leave them out, or choose that method.' });
  }
  if (spec.authMethod !== 'OAUTH' && spec.oauth !== null) {
    context.addIssue({ code: 'custom', path: ['oauth'], message: 'Only the auth method OAUTH has an oauth client: leave it out, or choose that method.' });
  }
  const seen = new Set<string>();
  spec.headers.forEach((header, index) => {
    const lower = header.name.toLowerCase();
    if (seen.has(lower)) context.addIssue({ code: 'custom', path: ['headers', index, 'name'], message: 'This header is declared twice.' });
    seen.add(lower);
  });
}).transform((spec) => {
  if (spec.authMethod === 'ACCESS_TOKEN' && spec.accessToken === null) return { ...spec, accessToken: accessTokenSpec.parse({}) };
  return spec.authMethod === 'OAUTH' && spec.oauth === null ? { ...spec, oauth: oauthSpec.parse({}) } : spec;
});

/** A complete, validated spec, as stored. */
export type ConnectionTypeSpec = z.output<typeof connectionTypeSpec>;
/** What may be left out on input. */
export type ConnectionTypeSpecInput = z.input<typeof connectionTypeSpec>;

/** A DNS label derived from a display name: "Warehouse API" becomes "warehouse-api"; null when nothing usable is left. */
export function deriveName(display: string): string | null {
  const label = display.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 63).replace(/^-+|-+$/g, '');
  return label === '' ? null : label;
}
