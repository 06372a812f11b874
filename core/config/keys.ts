import { z } from 'zod';
import { LOG_LEVELS } from '#core/log.js';
import { allowRules, baseUrl, clientMetadataUrl, groupRules, headerFields, issuer, keyRing, list, listenHost, namespace, namespaces, onOff, origins, portOrOff, postgresUrl, share, text, wholeNumber } from './values.js';

/** What is being started: settings that one of them needs, another doesn't. */
export const MODES = ['dev', 'api', 'operator', 'migrate', 'probe', 'keys', 'mirror'] as const;
export type Mode = (typeof MODES)[number];

/** One setting. This table is the only place that knows it: it is parsed by it, and `schema/config.md` is written from it. */
export interface KeyDefinition<S extends z.ZodType = z.ZodType> {
  schema: S;
  /** Completes "… is not", and is read in the documentation. */
  expects: string;
  /** Shown with a fault and in the documentation. */
  example: string;
  description: string;
  /** As text, parsed like any other value: for all modes, or by mode. */
  default?: string | Partial<Record<Mode, string>>;
  /** What the documentation says instead of a default. */
  defaultText?: string;
  /** Modes that don't start without it. */
  requiredIn?: readonly Mode[];
  /** Never shown; may also come as `<KEY>_FILE`, the path of a file that holds it. */
  secret?: boolean;
}

const key = <S extends z.ZodType>(definition: KeyDefinition<S>): KeyDefinition<S> => definition;

/** Every setting, in the order of the documentation. */
export const KEYS = {
  FAIRLEAD_CONFIG: key({
    schema: text, expects: 'a path', example: '/etc/fairlead/config.json', defaultText: 'no file',
    description: 'A JSON file with the same keys as here. The environment wins over it.',
  }),
  HOST: key({
    schema: listenHost, expects: 'an IP address or host name without port', example: '127.0.0.1', default: '127.0.0.1',
    description: 'The address to listen on. Where it isn\'t loopback, local mode ends: MCP servers on this machine must then be allowed by `FAIRLEAD_EGRESS_ALLOW`.',
  }),
  PORT: key({
    schema: wholeNumber(0, 65_535), expects: 'a port number from 0 to 65535', example: '4000', default: '4000',
    description: 'The port to listen on; `0` picks a free one.',
  }),
  FAIRLEAD_PUBLIC_URL: key({
    schema: baseUrl, expects: 'an http(s) URL without credentials, query and fragment', example: 'https://fairlead.example.com',
    requiredIn: ['operator'], defaultText: 'the address listened on; required when `HOST` is a wildcard, and for `fairlead operator`', description: 'The URL under which people reach this installation.',
  }),
  FAIRLEAD_CLIENT_METADATA_URL: key({
    schema: clientMetadataUrl, expects: 'an https URL with a path, without credentials and fragment', example: 'https://www.example.com/fairlead-client.json',
    defaultText: '`/.well-known/fairlead-client.json` under the public URL',
    description: 'Where authorization servers can read our client ID metadata document, when that isn\'t under the public URL. It is then the client ID.',
  }),
  FAIRLEAD_RETURN_URLS: key({
    schema: origins, expects: 'a comma-separated list of origins (scheme, host and port, no path)', example: 'https://console.example.com', default: '',
    description: 'Origins that `returnUrl` may have, besides our own. In local mode any loopback origin is allowed as well.',
  }),
  FAIRLEAD_CORS_ORIGINS: key({
    schema: origins, expects: 'a comma-separated list of origins (scheme, host and port, no path)', example: 'https://console.example.com', default: '',
    description: 'Exact origins of browser frontends. In local mode any loopback origin is allowed as well.',
  }),
  FAIRLEAD_STATE_DIR: key({
    schema: text, expects: 'a path', example: '/var/lib/fairlead', default: '.fairlead',
    description: '`fairlead dev` keeps its database, key ring and administrator token here. Relative to the working directory.',
  }),
  DATABASE_URL: key({
    schema: postgresUrl, expects: 'a postgres:// URL', example: 'postgres://fairlead:password@db.example.com/fairlead', secret: true, requiredIn: ['api', 'operator', 'migrate'],
    defaultText: '`fairlead dev`: the embedded PostgreSQL; otherwise required', description: 'The PostgreSQL 18 database to use.',
  }),
  FAIRLEAD_DATABASE_POOL_SIZE: key({
    schema: wholeNumber(1, 1000), expects: 'a whole number from 1 to 1000', example: '10', default: '10', description: 'The most database connections a process opens.',
  }),
  FAIRLEAD_MIGRATE: key({
    schema: z.enum(['auto', 'off']), expects: '`auto` or `off`', example: 'off', default: 'auto',
    description: 'Whether the start migrates the database. With `off`, run `fairlead migrate` before.',
  }),
  FAIRLEAD_KEYS: key({
    schema: keyRing, expects: 'a key ring', example: 'k1:<32 random bytes in base64>', secret: true, requiredIn: ['api', 'operator'],
    defaultText: '`fairlead dev`: a file in the state directory; otherwise required',
    description: 'The key ring that seals credentials: comma-separated `id:key`, the first one seals, all of them open. `fairlead keys generate` prints an entry. '
      + 'From a file, it is read again when it changes; `fairlead keys rotate` puts a new key in front.',
  }),
  FAIRLEAD_EGRESS_ALLOW: key({
    schema: allowRules, expects: 'a comma-separated list of hosts, host:ports and CIDRs', example: 'mcp.internal:8080,10.20.0.0/16', default: '',
    description: 'Hosts, host:ports and CIDRs that connection types may use although they are private or plain HTTP.',
  }),
  FAIRLEAD_OIDC_ISSUER: key({
    schema: issuer, expects: 'an https URL (http on this machine only)', example: 'https://login.example.com', requiredIn: ['api'],
    defaultText: '`fairlead dev`: none; otherwise required', description: 'The OpenID Connect issuer whose bearer tokens are accepted.',
  }),
  FAIRLEAD_OIDC_AUDIENCE: key({
    schema: text, expects: 'an audience', example: 'fairlead', defaultText: 'required with an issuer', description: 'What must be in the `aud` claim of those tokens.',
  }),
  FAIRLEAD_OIDC_SUBJECT_CLAIM: key({
    schema: text, expects: 'a claim', example: 'email', default: 'sub', description: 'The claim that identifies a person. It must never be given to another one.',
  }),
  FAIRLEAD_OIDC_NAME_CLAIM: key({
    schema: text, expects: 'a claim', example: 'preferred_username', default: 'name', description: 'The claim with the name to show.',
  }),
  FAIRLEAD_OIDC_GROUPS_CLAIM: key({
    schema: text, expects: 'a claim', example: 'groups', defaultText: 'none', description: 'The claim that lists a person\'s groups, for `FAIRLEAD_OIDC_GROUPS`.',
  }),
  FAIRLEAD_OIDC_GROUPS: key({
    schema: groupRules, expects: 'a comma-separated list of group=team:ROLE (roles: MEMBER, MANAGER, ADMIN)', example: 'wh-leads=logistics:MANAGER,wh=logistics:MEMBER', default: '',
    description: 'What membership in a group of the issuer means here.',
  }),
  FAIRLEAD_OIDC_ADMINS: key({
    schema: list, expects: 'a comma-separated list of subjects', example: 'ada@example.com', default: '', description: 'Subjects who administer the whole installation.',
  }),
  FAIRLEAD_OIDC_CLIENT_ID: key({
    schema: text, expects: 'a client ID', example: 'fairlead', defaultText: 'none: then nobody can consent to OAuth logins',
    description: 'Our client at the issuer, by which our consent page signs people in. Its redirect URI is `/signin/callback` under the public URL.',
  }),
  FAIRLEAD_OIDC_CLIENT_SECRET: key({
    schema: text, expects: 'a client secret', example: '<the secret of that client>', secret: true, defaultText: 'none: a public client',
    description: 'The secret of that client.',
  }),
  FAIRLEAD_MIRROR: key({
    schema: z.enum(['off', 'observe', 'on']), expects: '`off`, `observe` or `on`', example: 'on', default: 'off',
    description: 'Whether the operator mirrors ConnectionTypes and Enrollments of a Kubernetes cluster. `observe` only prints what it would do.',
  }),
  FAIRLEAD_KUBECONFIG: key({
    schema: text, expects: 'a path', example: '/etc/fairlead/kubeconfig', defaultText: 'the service account of the pod', description: 'The kubeconfig by which the operator reaches the cluster.',
  }),
  FAIRLEAD_MIRROR_NAMESPACES: key({
    schema: namespaces, expects: 'a comma-separated list of namespaces', example: 'logistics,finance', defaultText: 'all, which takes rights in the whole cluster',
    description: 'The namespaces whose ConnectionTypes and Enrollments the operator follows; each needs its rights there.',
  }),
  FAIRLEAD_MIRROR_GRACE_SECONDS: key({
    schema: wholeNumber(0, 2_592_000), expects: 'a whole number of seconds from 0 to 2592000', example: '3600', default: '3600',
    description: 'How long what a deleted manifest declared is kept, hidden, so that the same manifest can bring it back.',
  }),
  FAIRLEAD_LEASE_NAMESPACE: key({
    schema: namespace, expects: 'a namespace', example: 'fairlead', defaultText: 'the namespace of the pod, or of the kubeconfig', description: 'Where the Lease is by which one operator at a time mirrors.',
  }),
  FAIRLEAD_METRICS_PORT: key({
    schema: portOrOff, expects: 'a port number from 0 to 65535, or `off`', example: '9464', default: { dev: 'off', api: '9464', operator: '9464' },
    description: 'The port of `/metrics`, and of `/healthz` and `/readyz` apart from callers; `0` picks a free one.',
  }),
  FAIRLEAD_METRICS_HOST: key({
    schema: listenHost, expects: 'an IP address or host name without port', example: '0.0.0.0', defaultText: 'as `HOST`', description: 'The address of `/metrics`.',
  }),
  FAIRLEAD_OPERATOR_HEARTBEAT_MS: key({
    schema: wholeNumber(100, 60_000), expects: 'a whole number of milliseconds from 100 to 60000', example: '5000', default: '5000',
    description: 'How often an operator says that it lives. After three times as long a silence others take its work over, so all operators of an installation have the same value.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: key({
    schema: baseUrl, expects: 'an http(s) URL without credentials, query and fragment', example: 'http://collector:4318', defaultText: 'none: no traces',
    description: 'The OTLP/HTTP endpoint of an OpenTelemetry collector; traces go to `/v1/traces` under it. They hold no credential, no argument and no result.',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: key({
    schema: headerFields, expects: 'a comma-separated list of name=value', example: 'api-key=secret', secret: true, default: '', defaultText: 'none',
    description: 'Headers for the collector, percent-encoded.',
  }),
  OTEL_SERVICE_NAME: key({ schema: text, expects: 'a name', example: 'fairlead', default: 'fairlead', description: 'What traces call this installation.' }),
  OTEL_TRACES_SAMPLER_ARG: key({
    schema: share, expects: 'a number from 0 to 1', example: '0.1', default: '1', description: 'The share of traces that are kept.',
  }),
  FAIRLEAD_TRACE_PROPAGATION: key({
    schema: onOff, expects: '`on` or `off`', example: 'on', default: 'off', description: 'Whether MCP servers are told, in a `traceparent` header, the trace that a request belongs to.',
  }),
  FAIRLEAD_LOG_LEVEL: key({
    schema: z.enum(LOG_LEVELS), expects: `one of ${LOG_LEVELS.join(', ')}`, example: 'debug', default: 'info', description: 'How much is logged.',
  }),
  FAIRLEAD_INTROSPECTION: key({
    schema: onOff, expects: '`on` or `off`', example: 'on', default: { dev: 'on', api: 'off' }, description: 'GraphQL introspection, and with it the explorer.',
  }),
  FAIRLEAD_BODY_LIMIT_BYTES: key({
    schema: wholeNumber(1024, 64 * 1024 * 1024), expects: 'a whole number of bytes from 1024 to 67108864', example: '1048576', default: '1048576',
    description: 'The largest request body that is read.',
  }),
  FAIRLEAD_CALLS_AT_ONCE: key({
    schema: wholeNumber(1, 1000), expects: 'a whole number from 1 to 1000', example: '16', default: '16',
    description: 'Calls of tools that a process works on at the same time; those that wait for their server don\'t count. More of them make it no faster, and everybody later.',
  }),
  FAIRLEAD_CALLS_BURST: key({
    schema: wholeNumber(0, 10_000), expects: 'a whole number from 0 to 10000', example: '256', default: '256',
    description: 'Calls of tools that may come in at once beyond what a process works on and has in line: a burst, which it works off if it can within a quarter of a second. More are a flood, of which it refuses with `OVERLOADED` what it can\'t do, the oldest of whoever brings the most.',
  }),
  FAIRLEAD_CALLS_KEPT_DAYS: key({
    schema: wholeNumber(2, 3650), expects: 'a whole number of days from 2 to 3650', example: '30', default: '90',
    description: 'How long the operator keeps records of calls. They go by the week, so some stay for up to seven days more. Stored arguments and results go after a day in any case.',
  }),
  FAIRLEAD_AUDIT_KEPT_DAYS: key({
    schema: wholeNumber(2, 3650), expects: 'a whole number of days from 2 to 3650', example: '730', default: '400',
    description: 'How long the operator keeps the audit trail. It goes by four weeks, so some of it stays for up to 28 days more.',
  }),
  FAIRLEAD_SHUTDOWN_TIMEOUT_MS: key({
    schema: wholeNumber(0, 600_000), expects: 'a whole number of milliseconds from 0 to 600000', example: '30000', default: '10000',
    description: 'How long requests that are running at SIGTERM may take to finish.',
  }),
} as const;

export type KeyName = keyof typeof KEYS;

/** A key's definition, by a name that need not be one. */
export function definitionOf(name: string): KeyDefinition | undefined {
  return Object.hasOwn(KEYS, name) ? KEYS[name as KeyName] : undefined;
}
