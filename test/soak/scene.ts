import { credentialOf, MESSAGE, tokenOf } from '#test/chaos/scene.js';
import type { CallingLogin } from '#test/chaos/call-judge.js';
import { CallWorld } from '#test/support/calls/world.js';
import { MAX_RESULT_BYTES } from './servers.js';

/** A login that is called with. */
export interface SoakLogin extends CallingLogin {
  /** The Fairlead token of the person whose it is. */
  token: string;
  /** Named for how its server behaves. */
  connectionType: string;
}

/** Calls that aren't answered by then are ended. */
const CALL_MS = 2500;

/** Writes the scene into a migrated, empty database: a connection type for each server, and for each person a login with a credential of their own at each. */
export async function setScene(databaseUrl: string, ring: string, people: readonly string[], servers: readonly [name: string, url: string][]): Promise<SoakLogin[]> {
  const world = await CallWorld.on({ url: databaseUrl, drop: () => Promise.resolve() }, ring);
  try {
    const types = [];
    for (const [name, serverUrl] of servers) types.push(await world.type({ serverUrl, calls: { timeoutMs: CALL_MS, maxResultBytes: MAX_RESULT_BYTES } }, [MESSAGE], { name }));
    const logins: SoakLogin[] = [];
    for (const person of people) {
      const caller = await world.caller(person);
      const token = await tokenOf(world, caller, person);
      for (const [index, type] of types.entries()) {
        const credential = credentialOf(person, index);
        const { id } = await world.enroll(type, caller, { token: credential });
        logins.push({ name: `${person}:${type.name}`, memberId: caller.memberId, enrollmentId: id, token, connectionType: type.name, credential });
      }
    }
    return logins;
  } finally {
    await world.close();
  }
}
