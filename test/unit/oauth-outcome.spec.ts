import type { Discovery, DiscoveryReport } from '#core/oauth/discovery.js';
import { chooseRegistration, clientMetadataUrl, decideOutcome, type OutcomeFacts } from '#core/oauth/outcome.js';
import type { ServerMetadata } from '#core/oauth/server-metadata.js';

const REDIRECT_URI = 'https://fairlead.example/oauth/callback';
const DOCUMENT = 'https://fairlead.example/.well-known/fairlead-client.json';

function discovery(metadata: Partial<ServerMetadata> = {}): Discovery {
  const issuer = 'https://as.example';
  return {
    resource: 'https://mcp.example/mcp', issuer, tokenHost: 'as.example', scopesSupported: ['a'], challengeScopes: [], pkceAdvertised: true, fallbacks: [],
    metadata: { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, ...metadata },
  };
}
const report = (found: Discovery): DiscoveryReport => ({ steps: [], found, failure: null });
const facts = (metadata: Partial<ServerMetadata> = {}, more: Partial<OutcomeFacts> = {}): OutcomeFacts => ({ discovery: report(discovery(metadata)), challenged: true, redirectUri: REDIRECT_URI, clientMetadataUrl: null, ...more });
const REGISTERS = { registration_endpoint: 'https://as.example/register' };
const READS_DOCUMENTS = { client_id_metadata_document_supported: true };

it('is AUTOMATIC where the server registers clients', () => {
  expect(decideOutcome(facts(REGISTERS))).toMatchObject({ outcome: 'AUTOMATIC', registrationMethods: ['PREREGISTERED', 'DYNAMIC'], suggestedAuthMethod: null, scopesSupported: ['a'] });
});

it('is AUTOMATIC by our metadata document only where the world can read that', () => {
  expect(decideOutcome(facts(READS_DOCUMENTS, { clientMetadataUrl: DOCUMENT }))).toMatchObject({ outcome: 'AUTOMATIC', registrationMethods: ['PREREGISTERED', 'METADATA_DOCUMENT'] });
  const without = decideOutcome(facts(READS_DOCUMENTS));
  expect(without).toMatchObject({ outcome: 'CLIENT_REQUIRED', registrationMethods: ['PREREGISTERED'] });
  expect(without.message).toContain('public URL');
});

it('is CLIENT_REQUIRED, with the redirect URI, where the server registers nobody', () => {
  const found = decideOutcome(facts());
  expect(found).toMatchObject({ outcome: 'CLIENT_REQUIRED', redirectUri: REDIRECT_URI });
  expect(found.message).toContain(REDIRECT_URI);
});

it('turns into CLIENT_REQUIRED, in the server\'s words, when registration is refused', () => {
  const found = decideOutcome(facts(REGISTERS, { registrationRefusal: 'The registration refused: "friends only".' }));
  expect(found).toMatchObject({ outcome: 'CLIENT_REQUIRED', registrationMethods: ['PREREGISTERED'] });
  expect(found.message).toContain('"friends only"');
});

it.each([
  ['ABSENT', true, 'ACCESS_TOKEN', false], ['ABSENT', false, 'NONE', false], ['UNREACHABLE', true, null, true], ['INCONSISTENT', true, null, false], ['PKCE_NOT_ADVERTISED', true, null, false],
] as const)('is NOT_SUPPORTED when discovery failed with %s (401: %s)', (code, challenged, suggestedAuthMethod, retryable) => {
  const failed: DiscoveryReport = { steps: [], found: null, failure: { code, message: 'why' } };
  expect(decideOutcome({ discovery: failed, challenged, redirectUri: REDIRECT_URI, clientMetadataUrl: null })).toMatchObject({ outcome: 'NOT_SUPPORTED', suggestedAuthMethod, retryable, issuer: null });
});

it('prefers the client that was entered, then the document, then registration', () => {
  const all = discovery({ ...REGISTERS, ...READS_DOCUMENTS });
  expect(chooseRegistration(all, { hasClient: true, clientMetadataUrl: DOCUMENT })).toBe('PREREGISTERED');
  expect(chooseRegistration(all, { hasClient: false, clientMetadataUrl: DOCUMENT })).toBe('METADATA_DOCUMENT');
  expect(chooseRegistration(all, { hasClient: false, clientMetadataUrl: null })).toBe('DYNAMIC');
  expect(chooseRegistration(discovery(), { hasClient: false, clientMetadataUrl: DOCUMENT })).toBeNull();
  expect(chooseRegistration(discovery({ ...READS_DOCUMENTS, token_endpoint_auth_methods_supported: ['private_key_jwt'] }), { hasClient: false, clientMetadataUrl: DOCUMENT })).toBeNull();
});

it.each([
  ['https://fairlead.example', null, DOCUMENT],
  ['https://fairlead.example/', null, DOCUMENT],
  ['http://fairlead.example', null, null],
  ['http://127.0.0.1:3000', null, null],
  ['https://127.0.0.1', null, null],
  ['https://fairlead.internal', null, null],
  ['https://10.0.0.1', null, null],
  ['http://127.0.0.1:3000', 'https://cdn.example/client.json', 'https://cdn.example/client.json'],
])('with the public URL %s and %s configured, the document is at %s', (publicUrl, configured, expected) => {
  expect(clientMetadataUrl(publicUrl, configured)).toBe(expected);
});
