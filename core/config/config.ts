import { resolve } from 'node:path';
import type { z } from 'zod';
import type { LogLevel } from '#core/log.js';
import type { TracesConfig } from '#core/traces/start-traces.js';
import { ConfigError, type ConfigFault } from './fault.js';
import { KEYS, type KeyDefinition, type KeyName, type Mode } from './keys.js';
import { gatherSettings, type Settings } from './settings.js';
import { isLoopback, isWildcard, type GroupRule } from './values.js';

/** Who vouches for people: an OpenID Connect issuer. */
export interface OidcConfig {
  issuer: string;
  audience: string;
  subjectClaim: string;
  nameClaim: string;
  groupsClaim: string | null;
  groups: readonly GroupRule[];
  /** Subjects who administer the installation. */
  admins: readonly string[];
  /** Our client there, by which the consent page signs people in; null where there is none. */
  signIn: { clientId: string; clientSecret: string | null } | null;
}

/** How a Kubernetes cluster is mirrored. */
export interface MirrorConfig {
  /** `observe`: only says what it would do. */
  mode: 'observe' | 'on';
  /** A kubeconfig's path; null: the pod's service account. */
  kubeconfig: string | null;
  /** Null: all of the cluster. */
  namespaces: readonly string[] | null;
  /** How long deleted manifests can come back. */
  graceSeconds: number;
  /** Null: that of the pod, or of the kubeconfig. */
  leaseNamespace: string | null;
}

/** The whole configuration, checked and frozen. */
export interface Config {
  mode: Mode;
  /** `fairlead dev` (or a probe for it) on a loopback address: loopback MCP servers and browser origins are then allowed. */
  localMode: boolean;
  host: string;
  /** 0 for any free one. */
  port: number;
  /** Without trailing slash; null means the address listened on. */
  publicUrl: string | null;
  /** Null: under the public URL. */
  clientMetadataUrl: string | null;
  /** Origins that people may be sent back to after consent, besides our own. */
  returnOrigins: readonly string[];
  corsOrigins: readonly string[];
  /** Absolute. */
  stateDir: string;
  /** Null only in `dev`: embedded. */
  databaseUrl: string | null;
  databasePoolSize: number;
  migrateOnStart: boolean;
  /** The key ring as text, which `KeyRing.parse` takes; null where a file of the state directory holds it. */
  keys: string | null;
  /** Absolute; where it is read again, since it may change: the file that `keys` came from. Null where no file of its own was named. */
  keysFile: string | null;
  /** As text, which `parseAllowRules` takes. */
  egressAllow: string;
  oidc: OidcConfig | null;
  /** Null: no cluster is mirrored. */
  mirror: MirrorConfig | null;
  /** Null: no metrics port. */
  metrics: { host: string; port: number } | null;
  /** How often an operator says that it lives. */
  operatorHeartbeatMs: number;
  /** Null: none. */
  traces: TracesConfig | null;
  logLevel: LogLevel;
  introspection: boolean;
  /** Calls that a process works on at the same time, and that may be too many for a moment. */
  calls: { atOnce: number; burst: number };
  bodyLimitBytes: number;
  shutdownTimeoutMs: number;
  /** How long records of calls, and of who did what, are kept at least. */
  keptDays: { calls: number; audit: number };
  /** Where other programs are looked for: `PATH`. */
  searchPath: string;
  /** What should be logged once logging works. */
  warnings: readonly string[];
}

type Values = { [K in KeyName]: z.output<(typeof KEYS)[K]['schema']> | null };

/**
 * Reads, checks and freezes the configuration. It is the only reader of the environment.
 * @throws ConfigError with every fault at once
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>, mode: Mode): Config {
  const settings = gatherSettings(env);
  const values = parseAll(settings, mode);
  settings.faults.push(...crossFaults(values, settings, mode));
  if (settings.faults.length > 0) throw new ConfigError(settings.faults);
  const config = assemble(values, mode, settings.files.get('FAIRLEAD_KEYS') ?? null);
  return deepFreeze({ ...config, searchPath: env['PATH'] ?? '/usr/bin:/bin', warnings: warningsOf(config) });
}

/** What is allowed, and may not be meant. */
function warningsOf(config: Pick<Config, 'mode' | 'oidc'>): string[] {
  const serves = config.mode === 'dev' || config.mode === 'api';
  if (!serves || config.oidc === null || config.oidc.signIn !== null) return [];
  return ['FAIRLEAD_OIDC_CLIENT_ID is not set: people can\'t sign in on the consent page, so nobody who signs in can enroll in OAuth servers.'];
}

function parseAll({ texts, faults }: Settings, mode: Mode): Values {
  const parsed = Object.entries(KEYS).map(([name, definition]: [string, KeyDefinition]) => {
    const given = texts.get(name as KeyName);
    const text = given ?? (typeof definition.default === 'object' ? definition.default[mode] : definition.default);
    if (text === undefined) {
      if (definition.requiredIn?.includes(mode)) faults.push({ key: name, problem: `must be set for \`fairlead ${mode}\`.`, example: `${name}=${definition.example}` });
      return [name, null];
    }
    const result = definition.schema.safeParse(text.trim());
    if (result.success) return [name, result.data];
    const explained = result.error.issues.filter((issue) => issue.code === 'custom' && issue.params?.['explained'] === true).map((issue) => issue.message);
    const problem = explained.length > 0 ? explained.join(' ') : `${definition.secret ? 'the value' : JSON.stringify(text)} is not ${definition.expects}.`;
    faults.push({ key: name, problem, example: `${name}=${definition.example}` });
    return [name, null];
  });
  return Object.fromEntries(parsed) as Values;
}

/** What is wrong between settings that are right by themselves. */
function crossFaults(values: Values, { texts }: Settings, mode: Mode): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const need = (key: KeyName, problem: string) => faults.push({ key, problem, example: `${key}=${KEYS[key].example}` });
  const serves = mode === 'dev' || mode === 'api';
  if (serves && values.HOST !== null && isWildcard(values.HOST) && !texts.has('FAIRLEAD_PUBLIC_URL')) {
    need('FAIRLEAD_PUBLIC_URL', `must be set when HOST is ${values.HOST}, which is no address that anybody could open.`);
  }
  if (texts.has('FAIRLEAD_OIDC_ISSUER') && !texts.has('FAIRLEAD_OIDC_AUDIENCE')) need('FAIRLEAD_OIDC_AUDIENCE', 'must be set with FAIRLEAD_OIDC_ISSUER.');
  const oidcOnly = [...texts.keys()].filter((name) => name.startsWith('FAIRLEAD_OIDC_'));
  if (!texts.has('FAIRLEAD_OIDC_ISSUER') && oidcOnly.length > 0 && !KEYS.FAIRLEAD_OIDC_ISSUER.requiredIn?.includes(mode)) {
    need('FAIRLEAD_OIDC_ISSUER', `must be set with ${oidcOnly.join(', ')}.`);
  }
  if (texts.has('FAIRLEAD_OIDC_CLIENT_SECRET') && !texts.has('FAIRLEAD_OIDC_CLIENT_ID')) need('FAIRLEAD_OIDC_CLIENT_ID', 'must be set with FAIRLEAD_OIDC_CLIENT_SECRET.');
  if (texts.has('FAIRLEAD_OIDC_GROUPS') && !texts.has('FAIRLEAD_OIDC_GROUPS_CLAIM')) need('FAIRLEAD_OIDC_GROUPS_CLAIM', 'must be set with FAIRLEAD_OIDC_GROUPS.');
  return faults;
}

/** Called without faults only: what has a default is there. */
function assemble(values: Values, mode: Mode, keysFile: string | null): Omit<Config, 'searchPath' | 'warnings'> {
  const host = values.HOST!;
  return {
    mode,
    localMode: (mode === 'dev' || mode === 'probe') && isLoopback(host),
    host,
    port: values.PORT!,
    publicUrl: values.FAIRLEAD_PUBLIC_URL,
    clientMetadataUrl: values.FAIRLEAD_CLIENT_METADATA_URL,
    returnOrigins: values.FAIRLEAD_RETURN_URLS!,
    corsOrigins: values.FAIRLEAD_CORS_ORIGINS!,
    stateDir: resolve(values.FAIRLEAD_STATE_DIR!),
    databaseUrl: values.DATABASE_URL,
    databasePoolSize: values.FAIRLEAD_DATABASE_POOL_SIZE!,
    migrateOnStart: values.FAIRLEAD_MIGRATE === 'auto',
    keys: values.FAIRLEAD_KEYS,
    keysFile: keysFile === null ? null : resolve(keysFile),
    egressAllow: values.FAIRLEAD_EGRESS_ALLOW!,
    oidc: values.FAIRLEAD_OIDC_ISSUER === null ? null : {
      issuer: values.FAIRLEAD_OIDC_ISSUER,
      audience: values.FAIRLEAD_OIDC_AUDIENCE!,
      subjectClaim: values.FAIRLEAD_OIDC_SUBJECT_CLAIM!,
      nameClaim: values.FAIRLEAD_OIDC_NAME_CLAIM!,
      groupsClaim: values.FAIRLEAD_OIDC_GROUPS_CLAIM,
      groups: values.FAIRLEAD_OIDC_GROUPS!,
      admins: values.FAIRLEAD_OIDC_ADMINS!,
      signIn: values.FAIRLEAD_OIDC_CLIENT_ID === null ? null : { clientId: values.FAIRLEAD_OIDC_CLIENT_ID, clientSecret: values.FAIRLEAD_OIDC_CLIENT_SECRET },
    },
    mirror: values.FAIRLEAD_MIRROR === 'off' ? null : {
      mode: values.FAIRLEAD_MIRROR!,
      kubeconfig: values.FAIRLEAD_KUBECONFIG,
      namespaces: values.FAIRLEAD_MIRROR_NAMESPACES,
      graceSeconds: values.FAIRLEAD_MIRROR_GRACE_SECONDS!,
      leaseNamespace: values.FAIRLEAD_LEASE_NAMESPACE,
    },
    metrics: values.FAIRLEAD_METRICS_PORT === null ? null : { host: values.FAIRLEAD_METRICS_HOST ?? host, port: values.FAIRLEAD_METRICS_PORT },
    operatorHeartbeatMs: values.FAIRLEAD_OPERATOR_HEARTBEAT_MS!,
    traces: values.OTEL_EXPORTER_OTLP_ENDPOINT === null ? null : {
      url: `${values.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`,
      headers: values.OTEL_EXPORTER_OTLP_HEADERS!,
      serviceName: values.OTEL_SERVICE_NAME!,
      ratio: values.OTEL_TRACES_SAMPLER_ARG!,
      propagate: values.FAIRLEAD_TRACE_PROPAGATION!,
    },
    logLevel: values.FAIRLEAD_LOG_LEVEL!,
    introspection: values.FAIRLEAD_INTROSPECTION ?? false,
    calls: { atOnce: values.FAIRLEAD_CALLS_AT_ONCE!, burst: values.FAIRLEAD_CALLS_BURST! },
    bodyLimitBytes: values.FAIRLEAD_BODY_LIMIT_BYTES!,
    shutdownTimeoutMs: values.FAIRLEAD_SHUTDOWN_TIMEOUT_MS!,
    keptDays: { calls: values.FAIRLEAD_CALLS_KEPT_DAYS!, audit: values.FAIRLEAD_AUDIT_KEPT_DAYS! },
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
