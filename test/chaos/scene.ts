import { mintToken } from '#api/identity/fairlead-token.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { ChildProgram } from '#test/bench/child-program.js';
import { CallWorld, ECHO, type Caller } from '#test/support/calls/world.js';
import { login, oauthType, stored } from '#test/support/oauth-tokens/logins.js';
import type { AuthorizationServerAnswers } from './authorization-server.js';

/** A login that is called with. */
export interface ChaosLogin {
  /** Its name, which its nonces begin with. */
  name: string;
  enrollmentId: string;
  memberId: string;
  /** Whose it is, counted. */
  person: number;
  /** The Fairlead token of the person who calls with it. */
  token: string;
  connectionType: string;
  /** What the server sees of it: the consent's id, or the credential itself. */
  credential: string;
  method: 'OAUTH' | 'ACCESS_TOKEN';
}

/** A team with people, types and logins, as the fleet finds it. */
export interface Scene {
  logins: ChaosLogin[];
}

const OAUTH_TYPE = 'guarded';
const HEALTH = { intervalSeconds: 5, timeoutSeconds: 5 };
/** The tool that gives its message back. */
export const MESSAGE = { ...ECHO, inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] } };

/** The credential that somebody sends to the flapping server of this number. */
export function credentialOf(person: string, server: number): string {
  return `${person}-at-${server}`;
}

/** Writes the scene into a migrated, empty database: each person has a login with OAuth, from a real consent, and a static one at each flapping server. */
export async function setScene(
  databaseUrl: string, ring: string, people: readonly string[], servers: { guarded: string; flapping: readonly string[] }, provider: ChildProgram<AuthorizationServerAnswers>,
): Promise<Scene> {
  const world = await CallWorld.on({ url: databaseUrl, drop: () => Promise.resolve() }, ring);
  try {
    const guarded = await oauthType(world, servers.guarded, { health: HEALTH }, OAUTH_TYPE);
    const flapping: ConnectionType[] = [];
    for (const [index, serverUrl] of servers.flapping.entries()) flapping.push(await world.type({ serverUrl, health: HEALTH }, [MESSAGE], { name: `flapping-${index}` }));
    const logins: ChaosLogin[] = [];
    for (const [number, person] of people.entries()) {
      const caller = await world.caller(person);
      const token = await tokenOf(world, caller, person);
      const common = { memberId: caller.memberId, person: number, token };
      const enrollment = await login(world, guarded, caller);
      const { refreshToken } = (await stored(world, enrollment)).value;
      const credential = await provider.ask('grantOf', refreshToken!);
      logins.push({ ...common, name: `${person}:${OAUTH_TYPE}`, enrollmentId: enrollment.id, connectionType: OAUTH_TYPE, credential: credential!, method: 'OAUTH' });
      for (const [index, type] of flapping.entries()) {
        const value = credentialOf(person, index);
        const { id } = await world.enroll(type, caller, { token: value });
        logins.push({ ...common, name: `${person}:${type.name}`, enrollmentId: id, connectionType: type.name, credential: value, method: 'ACCESS_TOKEN' });
      }
    }
    return { logins };
  } finally {
    await world.close();
  }
}

/** A personal token of somebody. */
export async function tokenOf(world: CallWorld, { memberId }: Caller, name: string): Promise<string> {
  const { secret, hash, prefix } = mintToken();
  await world.store.tokens.insert({ kind: 'PERSONAL', teamId: world.team.id, memberId, creatorId: memberId, voucherIds: [], name, prefix, hash, expiresAt: null });
  return secret;
}
