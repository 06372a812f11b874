import { describe, expect, it } from '@jest/globals';
import { AUTH_METHODS, ORIGINS } from '#core/connection/spec.js';
import { ROLES } from '#core/connection/role.js';
import { CONNECTION_TYPE_STATES, ENROLLMENT_STATES } from '#core/connection/state.js';
import { KEYS, MODES } from '#core/config/keys.js';
import { CALL_FAULT_CODES, USER_FAULT_CODES } from '#core/errors.js';
import { PROGRAM_SCHEMA_LEVEL } from '#core/store/migrate.js';
import { MIGRATIONS } from '#core/store/migrations/index.js';

/**
 * What others rely on, written out. A red pin is no mistake in itself: it means "say it in the changelog", and then write it anew here.
 * The SDL, the schema of the database and the boundaries have pins of their own (generated.spec.ts, layering.spec.ts).
 */
describe('pinned, since others rely on it:', () => {
  it('codes of userErrors', () => {
    expect(USER_FAULT_CODES.join(' ')).toBe(
      'INVALID NOT_FOUND FORBIDDEN ALREADY_EXISTS STALE_VERSION MANAGED_BY_MANIFEST NOT_AVAILABLE SERVER_REFUSED OAUTH_NOT_SUPPORTED CLIENT_REQUIRED CREDENTIAL_REJECTED '
      + 'NOT_CONNECTED AMBIGUOUS_ENROLLMENT ENROLLMENT_SUSPENDED ACTION_REQUIRED TOOL_UNKNOWN TOOL_DENIED TOOL_CHANGED ARGUMENTS_INVALID '
      + 'IDEMPOTENCY_MISMATCH RATE_LIMITED OVERLOADED CIRCUIT_OPEN',
    );
  });

  it('codes of ToolCall.error', () => {
    expect(CALL_FAULT_CODES.join(' ')).toBe('UNREACHABLE TIMEOUT UNAUTHORIZED INSUFFICIENT_SCOPE RESULT_TOO_LARGE RESULT_INVALID PROTOCOL_ERROR INPUT_REQUIRED TASK_REQUIRED');
  });

  it('states, roles, methods and origins', () => {
    expect(CONNECTION_TYPE_STATES.join(' ')).toBe('READY PENDING UNREACHABLE ACTION_REQUIRED MISCONFIGURED DELETING');
    expect(ENROLLMENT_STATES.join(' ')).toBe('READY PENDING_AUTHORIZATION ACTION_REQUIRED UNREACHABLE SUSPENDED DELETING');
    expect(ROLES.join(' < ')).toBe('MEMBER < MANAGER < ADMIN');
    expect(AUTH_METHODS.join(' ')).toBe('NONE ACCESS_TOKEN CUSTOM_HEADERS OAUTH');
    expect(ORIGINS.join(' ')).toBe('API MANIFEST');
  });

  it('configuration keys, and which of them are secret', () => {
    expect(Object.entries(KEYS).map(([name, key]) => ('secret' in key ? `${name} (secret)` : name))).toEqual([
      'FAIRLEAD_CONFIG', 'HOST', 'PORT', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_CLIENT_METADATA_URL', 'FAIRLEAD_RETURN_URLS', 'FAIRLEAD_CORS_ORIGINS', 'FAIRLEAD_STATE_DIR', 'DATABASE_URL (secret)', 'FAIRLEAD_DATABASE_POOL_SIZE',
      'FAIRLEAD_MIGRATE', 'FAIRLEAD_KEYS (secret)', 'FAIRLEAD_EGRESS_ALLOW', 'FAIRLEAD_OIDC_ISSUER', 'FAIRLEAD_OIDC_AUDIENCE', 'FAIRLEAD_OIDC_SUBJECT_CLAIM', 'FAIRLEAD_OIDC_NAME_CLAIM',
      'FAIRLEAD_OIDC_GROUPS_CLAIM', 'FAIRLEAD_OIDC_GROUPS', 'FAIRLEAD_OIDC_ADMINS', 'FAIRLEAD_OIDC_CLIENT_ID', 'FAIRLEAD_OIDC_CLIENT_SECRET (secret)',
      'FAIRLEAD_MIRROR', 'FAIRLEAD_KUBECONFIG', 'FAIRLEAD_MIRROR_NAMESPACES', 'FAIRLEAD_MIRROR_GRACE_SECONDS', 'FAIRLEAD_LEASE_NAMESPACE',
      'FAIRLEAD_METRICS_PORT', 'FAIRLEAD_METRICS_HOST', 'FAIRLEAD_OPERATOR_HEARTBEAT_MS', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS (secret)', 'OTEL_SERVICE_NAME', 'OTEL_TRACES_SAMPLER_ARG', 'FAIRLEAD_TRACE_PROPAGATION', 'FAIRLEAD_LOG_LEVEL', 'FAIRLEAD_INTROSPECTION',
      'FAIRLEAD_BODY_LIMIT_BYTES', 'FAIRLEAD_CALLS_AT_ONCE', 'FAIRLEAD_CALLS_BURST', 'FAIRLEAD_CALLS_KEPT_DAYS', 'FAIRLEAD_AUDIT_KEPT_DAYS', 'FAIRLEAD_SHUTDOWN_TIMEOUT_MS',
    ]);
    expect(MODES.join(' ')).toBe('dev api operator migrate probe keys mirror');
  });

  it('migrations, which are never renumbered, and what they ask of a program', () => {
    expect(MIGRATIONS.map(({ name }) => name)).toEqual(['Foundation1795380000001', 'OAuth1795380000002', 'TokenVouchers1795380000003', 'Schedule1795380000004', 'PartitionsAndKeys1795380000005', 'Assignments1795380000006', 'Mirror1795380000007', 'Owners1795380000008', 'SecretPlaces1795380000009', 'ClientPlaces1795380000010']);
    expect(PROGRAM_SCHEMA_LEVEL).toBe(1);
  });
});
