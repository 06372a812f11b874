import { setTimeout as sleep } from 'node:timers/promises';
import { nodeId } from '#api/graphql/node-id.js';
import { mintToken } from '#api/identity/fairlead-token.js';
import { authorization } from '#core/upkeep/observations.js';
import { credentialOf, fieldsOf, lifeOf } from '#core/upkeep/oauth-tokens-life.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { currentTarget } from '#core/connection/target.js';
import { newId } from '#core/store/ids.js';
import { CallWorld, ECHO } from '#test/support/calls/world.js';
import { oauthType } from '#test/support/oauth-tokens/logins.js';
import { ChildProgram } from '../child-program.js';
import { contractDocument } from '../contract-document.js';
import { quantile } from '../statistics.js';
import type { AuthorizationServerAnswers } from './authorization-server.js';
import { Ground } from './ground.js';
import type { Plan } from './plan.js';

/** What measuring refreshes gave. */
export interface RefreshesResult {
  enrollments: number;
  refreshes: number;
  calls: number;
  /** How long a call took, in milliseconds. */
  callMs: { median: number; p99: number };
  /** Logins whose access token had expired when it was wanted: by a call, or by whoever renewed it at last. */
  expired: number;
  /** The larger of the two operators', in MiB. */
  residentMiB: number;
  /** Processor time of both operators for each refresh, in microseconds. */
  cpuMicros: number;
  wrongs: string[];
}

interface Seeded {
  token: string;
  enrollmentIds: string[];
}

const DOCUMENT = contractDocument('CallTool');
const TYPE_NAME = 'guarded';
const SEED_AT_ONCE = 16;

/** Measures two operators that renew many logins, while calls pick logins at random through two APIs. */
export async function measureRefreshes(plan: Plan, progress: (text: string) => void): Promise<RefreshesResult> {
  const ground = await Ground.prepare();
  const provider = ChildProgram.start<AuthorizationServerAnswers>('authorization-server', import.meta.url);
  try {
    progress('making logins');
    const seeded = await seed(ground, plan, await provider.ask('start', plan.tokenSeconds), provider);
    await ground.query(WITNESS);
    const operators = [await ground.start('operator'), await ground.start('operator')];
    const apis = [await ground.start('api'), await ground.start('api')];
    progress('calling while tokens expire');
    const cpu = await sum(operators.map((one) => one.cpuMicros()));
    const { faults, latencies } = await call(plan, seeded, apis.map(({ url }) => url));
    const residentMiB = Math.max(...await Promise.all(operators.map((one) => one.residentMiB())));
    const spent = await sum(operators.map((one) => one.cpuMicros())) - cpu;
    const wrongs = [...await ground.stopServed(), ...faults];
    const seen = await provider.ask('seen', undefined as never);
    const [late] = await ground.query<{ count: number }>('select count(*)::int as count from witness.late');
    const unready = await ground.query<{ message: string }>(`select conditions::text as message from enrollment_status where not conditions @> '[{"type": "Ready", "status": "TRUE"}]'`);
    const expired = late!.count + seen.refusedTokens;
    if (seen.reused > 0) wrongs.push(`${seen.reused} refresh tokens were presented more than once.`);
    if (unready.length > 0) wrongs.push(`${unready.length} logins aren't Ready: ${unready[0]!.message}`);
    if (seen.calls !== latencies.length) wrongs.push(`The server saw ${seen.calls} calls, but ${latencies.length} were answered.`);
    return {
      enrollments: plan.enrollments, refreshes: seen.refreshes, calls: latencies.length, expired, residentMiB, cpuMicros: spent / seen.refreshes, wrongs,
      callMs: { median: quantile(latencies.toSorted((one, other) => one - other), 0.5), p99: quantile(latencies.toSorted((one, other) => one - other), 0.99) },
    };
  } finally {
    await ground.clear();
    await provider.stop();
  }
}

/** Logins as consents of the last tokens' life have left them. */
async function seed(ground: Ground, { enrollments, tokenSeconds }: Plan, serverUrl: string, provider: ChildProgram<AuthorizationServerAnswers>): Promise<Seeded> {
  const world = await CallWorld.on({ url: ground.databaseUrl, drop: () => Promise.resolve() }, ground.ring);
  try {
    const { store, vault } = world;
    const type = await oauthType(world, serverUrl, {}, TYPE_NAME);
    const { client, clientRowId, discovery } = await world.main.oauth.setupOf(type);
    const owner = await world.caller('owner');
    const minted = mintToken();
    await store.tokens.insert({
      kind: 'PERSONAL', teamId: type.teamId, memberId: owner.memberId, creatorId: owner.memberId, voucherIds: [], name: 'bench', prefix: minted.prefix, hash: minted.hash, expiresAt: null,
    });
    const handedOut = await provider.ask('handOut', { clientId: client.clientId, count: enrollments });
    const obtainedAt = await store.now();
    const target = currentTarget(type.spec);
    const conditions = authorization('OAUTH', 'ACCEPTED').map((one) => ({ ...one, lastTransitionTime: obtainedAt.toISOString(), observedGeneration: type.version }));
    const enrollmentIds: string[] = [];
    const one = async (index: number): Promise<void> => {
      const tokens = { ...handedOut[index]!, obtainedAt, expiresAt: new Date(obtainedAt.getTime() + tokenSeconds * 1000), scopes: ['mcp:tools'] };
      const id = newId();
      const sealed = await new CredentialBox(vault).seal({ teamId: type.teamId, enrollmentId: id, version: 1, target }, credentialOf(tokens as never));
      await store.transaction(async (repositories) => {
        await repositories.enrollments.insert(
          { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: owner.memberId, label: `login-${index}`, shared: false, origin: 'API', confirmedTarget: target },
          { enrollmentId: id, teamId: type.teamId, kind: 'OAUTH', version: 1, sealed, fields: fieldsOf(tokens, obtainedAt) },
          { enrollmentId: id, conditions, toolsSyncedAt: null },
        );
        await repositories.oauthGrants.insert(id, type.teamId);
        const life = lifeOf(tokens as never, Math.random());
        // Some were consented to earlier than others: their refreshes come evenly.
        const refreshAt = new Date(obtainedAt.getTime() + (0.1 + 0.4 * Math.random()) * tokenSeconds * 1000);
        await repositories.oauthGrants.update(id, { ...life, refreshAt, clientId: clientRowId, issuer: discovery.issuer });
      });
      enrollmentIds.push(id);
    };
    for (let made = 0; made < enrollments; made += SEED_AT_ONCE) await Promise.all(Array.from({ length: Math.min(SEED_AT_ONCE, enrollments - made) }, (_, index) => one(made + index)));
    // Their tools were read long ago.
    await ground.query(
      `insert into tools (id, team_id, connection_type_id, enrollment_id, scope_id, name, definition, definition_hash, accepted_hash)
       select gen_random_uuid(), e.team_id, e.connection_type_id, e.id, e.id, t.name, t.definition, t.definition_hash, t.accepted_hash from enrollments e join tools t on t.enrollment_id is null and t.name = $1`,
      [ECHO.name],
    );
    await ground.query('update enrollment_status set tools_synced_at = now(), tried_at = now()');
    await ground.query('update connection_type_status set tools_source = null, tools_synced_at = null');
    return { token: minted.secret, enrollmentIds };
  } finally {
    await world.close();
  }
}

/** Calls at a steady pace, whatever the answers take. */
async function call({ callMs, callsPerSecond }: Plan, { token, enrollmentIds }: Seeded, apis: readonly string[]): Promise<{ faults: string[]; latencies: number[] }> {
  const faults = new Map<string, number>();
  const latencies: number[] = [];
  const under: Promise<void>[] = [];
  const began = performance.now();
  for (let made = 0; made < callMs / 1000 * callsPerSecond; made += 1) {
    await sleep(Math.max(0, began + made * 1000 / callsPerSecond - performance.now()));
    const enrollmentId = enrollmentIds[Math.floor(Math.random() * enrollmentIds.length)]!;
    const from = performance.now();
    under.push(one(apis[made % apis.length]!, token, enrollmentId, `nonce-${made}`).catch((error: unknown) => `no answer: ${String(error)}`).then((fault) => {
      if (fault === null) latencies.push(performance.now() - from);
      else faults.set(fault, (faults.get(fault) ?? 0) + 1);
    }));
  }
  await Promise.all(under);
  return { latencies, faults: [...faults].map(([fault, times]) => `${times} calls: ${fault}`) };
}

interface Answer {
  errors?: { message: string }[];
  data?: { callTool: { toolCall: { status: string; content: { text?: string }[] | null; error: { message: string } | null } | null; userErrors: { code: string; message: string }[] } };
}

async function one(api: string, token: string, enrollmentId: string, nonce: string): Promise<string | null> {
  const input = { connectionType: TYPE_NAME, enrollmentId: nodeId('Enrollment', enrollmentId), tool: 'echo', arguments: { message: nonce } };
  const response = await fetch(`${api}/graphql`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify({ query: DOCUMENT, operationName: 'CallTool', variables: { input } }),
  });
  const { data, errors } = await response.json() as Answer;
  if (data === undefined) return errors?.[0]?.message ?? String(response.status);
  const { toolCall, userErrors } = data.callTool;
  if (toolCall === null) return `refused: ${userErrors[0]?.code} ${userErrors[0]?.message}`;
  if (toolCall.status !== 'SUCCEEDED') return `${toolCall.status}: ${toolCall.error?.message}`;
  return toolCall.content?.[0]?.text === nonce ? null : 'another answer than its own';
}

async function sum(numbers: Promise<number>[]): Promise<number> {
  return (await Promise.all(numbers)).reduce((one, other) => one + other, 0);
}

/** Notes each refresh of a login whose access token had expired by then. */
const WITNESS = `
create schema witness;
create table witness.late (enrollment_id uuid, by interval);
create function witness.note() returns trigger language plpgsql as $$ begin
  insert into witness.late values (new.enrollment_id, clock_timestamp() - old.expires_at);
  return null;
end $$;
create trigger note after update of last_refresh_at on oauth_grants for each row
  when (new.last_refresh_at is distinct from old.last_refresh_at and old.expires_at < clock_timestamp()) execute function witness.note();
`;
