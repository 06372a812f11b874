import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { enrollmentState } from '#core/connection/state.js';
import { Person, type Got } from '#test/support/consent/person.js';
import { ConsentWorld } from '#test/support/consent/world.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

let world: ConsentWorld;
let provider: OidcProviderServer;
let type: ConnectionType;
let ada: Member;
let enrollment: Enrollment;

beforeEach(async () => {
  [world, provider] = await Promise.all([ConsentWorld.create(), startOidcProvider()]);
  type = await world.type(provider.mcp.url);
  ada = await world.member('ada', 'Ada Lovelace');
  enrollment = await world.enroll(type, ada);
});

afterEach(async () => {
  await Promise.all([world.close(), provider.close()]);
});

const callback = () => `${world.url}/oauth/callback`;

/** Up to the provider's answer, which isn't opened. */
async function answerOf(person: Person, link: string): Promise<string> {
  const sent = await person.press(await person.get(link), 'continue');
  return (await person.follow(sent, callback())).location!;
}

/** What must be as it was: nothing was stored, and the enrollment waits for consent. */
async function expectNothingStored(): Promise<void> {
  const { credential, conditions, grant } = await world.stored(enrollment);
  expect(credential).toMatchObject({ version: 1, sealed: null, fields: [] });
  expect(grant).toMatchObject({ clientId: null, issuer: null, expiresAt: null, refreshable: false });
  expect(enrollmentState(conditions, false, [])).toBe('PENDING_AUTHORIZATION');
  expect(provider.mcp.tokens).toEqual([]);
}

describe('Consent in local mode', () => {
  test('goes from the link over the page to the provider and back, and the login is stored, tried and READY', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    for (const text of ['Connect Warehouse', 'Ada Lovelace', 'Logistics', provider.mcp.url, new URL(provider.issuer).host, 'mcp:tools']) expect(page.text).toContain(text);
    const sent = await person.press(page, 'continue');
    expect(sent.status).toBe(303);
    const request = new URL(sent.location!);
    expect(Object.fromEntries(request.searchParams)).toMatchObject({
      response_type: 'code', redirect_uri: callback(), code_challenge_method: 'S256', resource: provider.mcp.url, scope: expect.stringContaining('mcp:tools'), state: expect.any(String),
    });
    const end = await person.follow(sent);
    expect(end.status).toBe(200);
    expect(end.text).toContain('Warehouse is connected');
    expect(end.text).toContain('You can close this page');

    const { value, credential, grant, conditions, consent } = await world.stored(enrollment);
    expect(value).toEqual({ kind: 'OAUTH', accessToken: expect.any(String), refreshToken: expect.any(String) });
    expect(credential).toMatchObject({ version: 2, kind: 'OAUTH' });
    expect(credential.fields.map(({ name, isSet }) => [name, isSet])).toEqual([['accessToken', true], ['refreshToken', true]]);
    expect(grant).toMatchObject({ issuer: provider.issuer, clientId: (await world.setupOf(type)).clientRowId, scopes: ['mcp:tools'], refreshable: true, failedRefreshes: 0 });
    expect(grant!.expiresAt!.getTime() - grant!.obtainedAt!.getTime()).toBe(3_600_000);
    expect(enrollmentState(conditions, false, [])).toBe('READY');
    expect(conditions.find((one) => one.type === 'Authorized')).toMatchObject({ status: 'TRUE', reason: 'Accepted' });
    expect(consent).toMatchObject({ state: 'READY', sealed: null });
    expect(provider.mcp.tokens.length).toBeGreaterThan(0);
    expect((await world.store.audit.page(world.team.id, { first: 10, after: null })).nodes).toMatchObject([{ action: 'finishAuthorization', outcome: 'SUCCEEDED', actorName: 'Ada Lovelace', subjectName: 'warehouse' }]);
  });
});
