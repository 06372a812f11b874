import type { Store } from '#core/store/store.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import { LOCAL_ADMIN } from './identity/authenticator.js';
import { mintToken, parseToken } from './identity/fairlead-token.js';

/** Where the token is kept: a file of the state directory. */
export interface TokenKeeper {
  read(): Promise<string | null>;
  write(token: string): Promise<void>;
}

/**
 * Local mode: the team `default` with its local administrator, whose token stands in a file. A token that still works is kept;
 * otherwise a new one takes its place, and older ones end.
 */
export async function ensureLocalAdmin(store: Store, keeper: TokenKeeper): Promise<void> {
  const team = (await store.teams.bySlug('default')) ?? (await insertDefaultTeam(store));
  if ((await store.members.bySubject(team.id, LOCAL_ADMIN.subject, true)) === null) {
    await store.members.upsert({ teamId: team.id, ...LOCAL_ADMIN, local: true, role: 'ADMIN', source: 'API' });
  }
  const kept = await keeper.read();
  if (kept !== null && (await works(store, kept))) return;
  const minted = mintToken();
  await store.transaction(async (repositories) => {
    await repositories.tokens.insert({
      kind: 'INSTALLATION', teamId: null, memberId: null, creatorId: null, voucherIds: [], name: 'local administrator', prefix: minted.prefix, hash: minted.hash, expiresAt: null,
    });
    await repositories.tokens.removeInstallationTokens(minted.hash);
  });
  await keeper.write(minted.secret);
}

async function insertDefaultTeam(store: Store) {
  try {
    return await store.teams.insert('default', 'Default');
  } catch (error) {
    const team = isUniqueViolation(error) ? await store.teams.bySlug('default') : null;
    if (team === null) throw error;
    return team;
  }
}

async function works(store: Store, secret: string): Promise<boolean> {
  try {
    return (await store.tokens.byHash(parseToken(secret).hash))?.kind === 'INSTALLATION';
  } catch {
    return false;
  }
}
