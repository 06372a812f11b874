import type { ConditionStatus } from '#core/connection/condition.js';
import type { AuthMethod, Origin, ToolChangePolicy } from '#core/connection/spec.js';
import type { ConnectionTypeState } from '#core/connection/state.js';
import type { ProbeVerdict } from '#core/mcp/probe.js';
import { enumType } from '../../graphql/enum-type.js';

export const AuthMethodEnum = enumType<AuthMethod>('AuthMethod', 'How a teammate\'s credential reaches the server.', {
  NONE: 'The server wants no credential.',
  ACCESS_TOKEN: 'An access token or API key in one header.',
  CUSTOM_HEADERS: 'Values for one or more headers.',
  OAUTH: 'A login at the server\'s authorization server, with consent.',
});

export const OriginEnum = enumType<Origin>('Origin', 'Who owns an object\'s spec.', {
  API: 'It was created here and is changed here.',
  MANIFEST: 'A Kubernetes manifest owns it and is the place to change it.',
});

export const ConnectionTypeStateEnum = enumType<ConnectionTypeState>('ConnectionTypeState', 'One word for what the conditions say.', {
  READY: 'The server answers.',
  PENDING: 'It was not looked at yet.',
  UNREACHABLE: 'The server doesn\'t answer as an MCP server now.',
  ACTION_REQUIRED: 'A person must act; see `action`.',
  MISCONFIGURED: 'It can\'t work until its spec is changed; the conditions say why.',
  DELETING: 'It is being deleted.',
});

export const ConditionStatusEnum = enumType<ConditionStatus>('ConditionStatus', 'Whether a condition holds.', {
  TRUE: 'It holds.',
  FALSE: 'It doesn\'t hold.',
  UNKNOWN: 'It can\'t be told.',
});

export const ToolChangePolicyEnum = enumType<ToolChangePolicy>('ToolChangePolicy', 'What happens when a server changes a tool\'s definition.', {
  WARN: 'The change is recorded; the tool stays callable.',
  BLOCK: 'The tool is not callable until a manager accepts the change.',
});

export const DeletionPolicyEnum = enumType<'DELETE' | 'RETAIN'>('DeletionPolicy', 'What deleting the manifest does. Types of origin API are always deleted.', {
  DELETE: 'The type and its enrollments are deleted.',
  RETAIN: 'They are kept without a manifest.',
});

export const ProbeVerdictEnum = enumType<ProbeVerdict>('ProbeVerdict', 'What a server turned out to be.', {
  OK: 'An MCP server that answers.',
  AUTHENTICATION_REQUIRED: 'A server that wants a credential, or another one.',
  UNREACHABLE: 'Nothing answers there now.',
  NOT_MCP: 'Something answers, but not as an MCP server.',
  UNSUPPORTED_TRANSPORT: 'An MCP server without streamable HTTP (stdio, or HTTP+SSE of 2024-11-05).',
  REFUSED_BY_POLICY: 'This installation doesn\'t connect to that address.',
});

export const StepOutcomeEnum = enumType<'OK' | 'FAILED' | 'SKIPPED'>('ProbeStepOutcome', 'How a step of a probe ended.', {
  OK: 'As it should.',
  FAILED: 'It didn\'t work; the message says how.',
  SKIPPED: 'It was not tried.',
});

export const OAuthOutcomeEnum = enumType<'NOT_SUPPORTED' | 'AUTOMATIC' | 'CLIENT_REQUIRED'>('OAuthOutcome', 'What OAuth takes at a server.', {
  NOT_SUPPORTED: 'The server offers no OAuth.',
  AUTOMATIC: 'Nothing more to enter: Fairlead registers itself.',
  CLIENT_REQUIRED: 'A client ID and secret are required.',
});

export const RegistrationMethodEnum = enumType<'PREREGISTERED' | 'METADATA_DOCUMENT' | 'DYNAMIC'>('RegistrationMethod', 'How an OAuth client came to be.', {
  PREREGISTERED: 'A manager entered a client ID.',
  METADATA_DOCUMENT: 'The client ID is the URL of a metadata document.',
  DYNAMIC: 'Registered by RFC 7591.',
});
