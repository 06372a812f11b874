import { headerValueFault } from '#core/connection/header-rules.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Store } from '#core/store/store.js';
import type { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { discoveryOf, type TypeOAuth } from '#core/upkeep/type-oauth.js';
import type { Vault } from '#core/vault/vault.js';
import { jittered } from '../runtime/back-off.js';
import type { ConnectionTypeManifest } from '../manifest/connection-type.js';
import type { Cluster } from './cluster.js';
import { refused, SYNCED, type Verdict } from './conditions.js';
import { SECRET_POLL_MS, secretRetryMs, secretValues } from './secret-values.js';
import { fenced, type SituationThere } from './situation.js';

/** What {@link PreregisteredClients} is built of. */
export interface PreregisteredClientsOptions {
  store: Store;
  cluster: Cluster;
  registry: OAuthClientRegistry;
  oauth: Pick<TypeOAuth, 'observe' | 'redirectUri'>;
  vault: Pick<Vault, 'keyedHash'>;
  random: () => number;
  now: () => Date;
}

/** Keeps the OAuth client that a manifest names: its secret stays in its Secret, and is sealed here for the issuer that was discovered. */
export class PreregisteredClients {
  constructor(private readonly options: PreregisteredClientsOptions) {}

  async keep(situation: SituationThere, type: ConnectionType, oauth: ConnectionTypeManifest['oauth'] | null): Promise<{ verdict: Verdict; requeueAfterMs?: number }> {
    const { store, cluster, vault, now, random } = this.options;
    const { binding } = situation;
    const clientId = oauth?.clientId;
    if (type.spec.authMethod !== 'OAUTH' || clientId === undefined) return { verdict: SYNCED };
    const [row, current] = await Promise.all([store.oauthClients.discovery(type.id), store.oauthClients.current(type.id)]);
    // The issuer isn't known yet: when it is, this object is looked at again.
    if (row === null) return { verdict: SYNCED };
    const settled = current?.method === 'PREREGISTERED' && current.state === 'ACTIVE' && current.clientId === clientId && current.issuer === row.issuer && current.redirectUri === this.options.oauth.redirectUri;
    const pollMs = oauth?.clientSecretRef === undefined ? null : jittered(SECRET_POLL_MS, random());
    const readAgo = binding.secretsReadAt === null ? Infinity : now().getTime() - binding.secretsReadAt.getTime();
    if (settled && (pollMs === null || readAgo < pollMs)) return { verdict: SYNCED, ...(pollMs !== null && { requeueAfterMs: Math.max(1000, pollMs - readAgo) }) };

    const read = oauth?.clientSecretRef === undefined ? { values: [] } : await secretValues(cluster, binding.namespace, [oauth.clientSecretRef]);
    if ('verdict' in read) {
      await store.mirrorObjects.update(binding.id, { secretFailures: binding.secretFailures + 1, secretsReadAt: now() });
      return { verdict: read.verdict, requeueAfterMs: secretRetryMs(binding.secretFailures) };
    }
    const [clientSecret = null] = read.values;
    const fault = clientSecret === null ? null : headerValueFault(clientSecret);
    if (fault !== null) return { verdict: refused('SecretInvalid', `The client secret can't be used. ${fault}`), requeueAfterMs: SECRET_POLL_MS };
    const hash = await vault.keyedHash(type.teamId, `client secret ${type.id} ${clientId} ${clientSecret ?? ''}`);
    const seen = { secretsReadAt: now(), secretFailures: 0, secretHash: hash };
    if (settled && binding.secretHash?.equals(hash) === true) await store.mirrorObjects.update(binding.id, seen);
    else {
      await fenced(store, situation.claim, type.teamId, async (repositories) => {
        await repositories.connectionTypes.lock(type.id);
        const before = await repositories.oauthClients.current(type.id);
        if (before !== null) await this.options.registry.retire(repositories, before, 'Its manifest names another client, or another secret of it.');
        await this.options.registry.record(repositories, type, discoveryOf(row), this.options.oauth.redirectUri, { method: 'PREREGISTERED', clientId, clientSecret });
        await repositories.mirrorObjects.update(binding.id, seen);
      });
      await this.options.oauth.observe(type.id);
    }
    return { verdict: SYNCED, ...(pollMs !== null && { requeueAfterMs: pollMs }) };
  }
}
