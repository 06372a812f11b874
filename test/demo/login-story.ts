import { setTimeout as delay } from 'node:timers/promises';
import { quotePeer } from '#core/errors.js';
import type { ApiClient } from './api-client.js';
import { callTool, createType, enroll, present, probe, said, texts, took } from './asking.js';
import { DELETE_ENROLLMENT, DELETE_TYPE, ENROLLMENT, START_AUTHORIZATION, type EnrollmentSeen, type Link, type Made, type Refusal } from './documents.js';
import type { Printout } from './printout.js';
import type { Stage } from './stage.js';
import type { Cast } from './story.js';

const CLIENT_SECRET = 'demo-client-secret-4711';
/** For what Fairlead does after it has answered. */
const SOON_MS = 10_000;

/** The acts about OAuth: the three outcomes, a consent in a browser, a login that stays usable, and leaving. */
export async function login(stage: Stage, { manager, teammate }: Cast, printout: Printout): Promise<void> {
  await outcomes(stage, manager, printout);
  const typeId = await setUp(stage, manager, printout);
  const id = await consent(stage, typeId, teammate, printout);
  await renewal(stage, teammate, printout);
  await stepUp(stage, id, teammate, printout);
  await leaving(stage, id, teammate, printout);
  await removal(stage, typeId, manager, printout);
}

async function outcomes({ logins, unregistering, guarded }: Stage, manager: ApiClient, printout: Printout): Promise<void> {
  printout.act('Mara looks for logins with OAuth: probeServer has three answers');
  const automatic = await probe(manager, logins.mcp.url);
  printout.check(automatic.oauth?.outcome === 'AUTOMATIC' && automatic.oauth.issuer === logins.issuer, `AUTOMATIC – ${automatic.oauth?.message}`);
  for (const { name, outcome, message } of automatic.steps.filter((step) => step.outcome !== 'SKIPPED')) printout.say(`${outcome.toLowerCase().padEnd(6)} ${name}: ${message}`);
  const required = await probe(manager, unregistering.mcp.url);
  printout.check(required.oauth?.outcome === 'CLIENT_REQUIRED' && required.oauth.message.includes(required.oauth.redirectUri), `CLIENT_REQUIRED – ${required.oauth?.message}`);
  const unsupported = await probe(manager, guarded.url);
  printout.check(unsupported.oauth?.outcome === 'NOT_SUPPORTED' && unsupported.suggestedAuthMethod === 'ACCESS_TOKEN', `NOT_SUPPORTED – ${unsupported.oauth?.message}`);

  const without = await createType(manager, { displayName: 'Archive', serverUrl: unregistering.mcp.url, authMethod: 'OAUTH' });
  printout.check(without.userErrors[0]?.code === 'CLIENT_REQUIRED', 'createConnectionType repeats it: without a client, CLIENT_REQUIRED');
  const never = await createType(manager, { displayName: 'Never', serverUrl: guarded.url, authMethod: 'OAUTH' });
  printout.check(never.userErrors[0]?.code === 'OAUTH_NOT_SUPPORTED', 'and where there is no OAuth, OAUTH_NOT_SUPPORTED; nothing is saved of either');
  const own = { clientId: 'made-by-mara', clientSecret: CLIENT_SECRET };
  const given = await createType(manager, { displayName: 'Archive', serverUrl: unregistering.mcp.url, authMethod: 'OAUTH', oauth: own });
  printout.check(given.connectionType?.state === 'READY' && given.connectionType.oauth?.registrationMethod === 'PREREGISTERED',
    `with the client that Mara registered by hand it is ${given.connectionType?.state ?? said(given.userErrors)}`);
}

async function setUp({ logins }: Stage, manager: ApiClient, printout: Printout): Promise<string> {
  printout.act('She adds the first one to the catalog; Fairlead registers itself there');
  const { connectionType, userErrors } = await createType(manager, { displayName: 'Warehouse', serverUrl: logins.mcp.url, authMethod: 'OAUTH' });
  const type = present(connectionType, userErrors);
  const registrations = logins.presentations.filter(({ path, method }) => path === '/reg' && method === 'POST');
  printout.check(type.state === 'READY' && type.oauth?.registrationMethod === 'DYNAMIC', `createConnectionType: ${quotePeer(type.name)} is ${type.state}, with a client from dynamic registration`);
  printout.check(registrations.length === 1, `the provider at ${logins.issuer} has seen ${registrations.length} registration, and the redirect URI ${type.oauth?.redirectUri}`);
  return type.id;
}

async function consent(stage: Stage, typeId: string, teammate: ApiClient, printout: Printout): Promise<string> {
  const { logins, log } = stage;
  printout.act('Tom enrolls: no password and no token is entered, he consents in his browser');
  const made = await enroll(teammate, { connectionTypeId: typeId, returnUrl: stage.returnUrl });
  const { id, state } = present(made.enrollment, made.userErrors);
  const link = present(made.authorization, made.userErrors);
  printout.check(state === 'PENDING_AUTHORIZATION', `enroll: his enrollment is ${state}, and there is a link, good for one use and ten minutes: ${shortened(link.url)}`);
  const early = await callTool(teammate, { connectionType: 'warehouse', tool: 'echo', arguments: { message: 'too early' } });
  printout.check(early.toolCall === null, `a call has to wait: ${said(early.userErrors)}`);

  await visit(stage, link, printout);
  const enrollment = await enrollmentOf(teammate, id);
  printout.check(enrollment.state === 'READY', `the enrollment is ${enrollment.state}, with the scopes ${enrollment.credential.scopes.join(' ')}`);
  const used = await fetch(link.url);
  printout.check(used.status === 410, `the link is used up: opened again, it is HTTP ${used.status}`);
  const answer = await callTool(teammate, { connectionType: 'warehouse', tool: 'echo', arguments: { message: 'as Tom' } });
  const token = logins.mcp.tokens.at(-1) ?? '';
  printout.check(texts(answer) === 'as Tom' && await logins.knows(token), `echo answers ${quotePeer(texts(answer))}, called with an access token of his login ${took(answer)}`);
  printout.check(!(JSON.stringify([made, enrollment, answer]) + log()).includes(token), 'no answer and no line of the log holds that token');
  return id;
}

/** A consent in the browser, with what its owner sees there. */
async function visit({ browser, returnUrl, logins }: Stage, { url }: Link, printout: Printout): Promise<void> {
  const { heading, facts, button, landed } = await browser.consent(url, returnUrl);
  printout.check(heading === 'Connect Warehouse', `${browser.name} shows Fairlead's page ${quotePeer(heading)}:`);
  facts.forEach((fact) => printout.say(fact));
  printout.say(`Tom presses ${quotePeer(button)}, and says yes at ${new URL(logins.issuer).host}.`);
  const outcome = landed.searchParams.get('fairlead_outcome');
  printout.check(outcome === 'READY', `he is back where he came from: ${landed.origin}${landed.pathname}?…&fairlead_outcome=${outcome}`);
}

async function renewal({ logins }: Stage, teammate: ApiClient, printout: Printout): Promise<void> {
  printout.act('The login is kept usable: its access token ends, and nobody notices');
  const old = logins.mcp.tokens.at(-1);
  const { guard } = logins.mcp;
  const { verify } = guard;
  guard.verify = (token, resource) => (token === old ? Promise.resolve(null) : verify(token, resource));
  const answer = await callTool(teammate, { connectionType: 'warehouse', tool: 'echo', arguments: { message: 'still Tom' } });
  const refreshes = logins.presentations.filter(({ grantType }) => grantType === 'refresh_token');
  printout.check(texts(answer) === 'still Tom', `the server refuses the old token (401), and echo answers ${quotePeer(texts(answer))} all the same ${took(answer)}`);
  printout.check(refreshes.length === 1 && refreshes[0]?.status === 200 && refreshes[0].resource === logins.mcp.url,
    `the provider has seen ${refreshes.length} refresh, for ${refreshes[0]?.resource}; the refresh token changed with it, and the old one is worth nothing`);
}

async function stepUp(stage: Stage, id: string, teammate: ApiClient, printout: Printout): Promise<void> {
  printout.act('One tool wants more than Tom consented to');
  const sum = () => callTool(teammate, { connectionType: 'warehouse', tool: 'sum', arguments: { a: 40, b: 2 } });
  const refused = await sum();
  printout.check(refused.toolCall?.error?.code === 'INSUFFICIENT_SCOPE', `sum: ${refused.toolCall?.status}, ${refused.toolCall?.error?.code} – ${refused.toolCall?.error?.message}`);
  const before = await enrollmentOf(teammate, id);
  printout.check(before.state === 'ACTION_REQUIRED', `his enrollment is ${before.state}, until he consents to both`);
  type Started = { startAuthorization: Made<'authorization', Link> };
  const { startAuthorization } = await teammate.ask<Started>(START_AUTHORIZATION, { input: { enrollmentId: id, returnUrl: stage.returnUrl } });
  await visit(stage, present(startAuthorization.authorization, startAuthorization.userErrors), printout);
  const { state, credential } = await enrollmentOf(teammate, id);
  printout.check(state === 'READY' && credential.scopes.includes('files:write'), `the same enrollment is ${state}, with the scopes ${credential.scopes.join(' ')}`);
  const answer = await sum();
  printout.check(texts(answer) === '42', `sum answers ${quotePeer(texts(answer))} ${took(answer)}`);
}

async function leaving({ logins }: Stage, id: string, teammate: ApiClient, printout: Printout): Promise<void> {
  printout.act('Tom leaves: the login ends at the provider, too');
  const token = logins.mcp.tokens.at(-1) ?? '';
  type Left = { deleteEnrollment: { deletedId: string | null; revocation: { outcome: string; message: string } | null; userErrors: Refusal[] } };
  const { deleteEnrollment: { deletedId, revocation, userErrors } } = await teammate.ask<Left>(DELETE_ENROLLMENT, { input: { id } });
  printout.check(deletedId === id && revocation?.outcome === 'REVOKED', `deleteEnrollment: ${revocation?.outcome} – ${revocation?.message ?? said(userErrors)}`);
  printout.check(!await logins.knows(token), 'the provider doesn\'t know his access token any more');
  const late = await callTool(teammate, { connectionType: 'warehouse', tool: 'echo', arguments: { message: 'too late' } });
  printout.check(late.userErrors[0]?.code === 'NOT_CONNECTED', `and a call is refused: ${said(late.userErrors)}`);
}

async function removal({ logins }: Stage, typeId: string, manager: ApiClient, printout: Printout): Promise<void> {
  await manager.ask(DELETE_TYPE, { input: { id: typeId } });
  const deletion = () => logins.presentations.find(({ path, method }) => method === 'DELETE' && path.startsWith('/reg/'));
  const until = performance.now() + SOON_MS;
  while (deletion() === undefined && performance.now() < until) await delay(50);
  printout.check(deletion()?.status === 204, `Mara deletes the connection type, and Fairlead its client at the provider (HTTP ${deletion()?.status})`);
}

async function enrollmentOf(person: ApiClient, id: string): Promise<EnrollmentSeen> {
  const { enrollment } = await person.ask<{ enrollment: EnrollmentSeen | null }>(ENROLLMENT, { id });
  return present(enrollment, []);
}

/** Links are secrets while they are good. */
function shortened(url: string): string {
  return `${url.slice(0, url.lastIndexOf('/') + 5)}…`;
}
