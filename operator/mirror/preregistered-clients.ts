import { condition } from '#core/connection/condition.js';
import { headerValueFault } from '#core/connection/header-rules.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { Store } from '#core/store/store.js';
import type { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { belongsTo, samePlace } from '#core/upkeep/oauth-place.js';
import { discoveryOf, type TypeOAuth } from '#core/upkeep/type-oauth.js';
import type { Vault } from '#core/vault/vault.js';
import { jittered } from '../runtime/back-off.js';
import type { ConnectionTypeManifest } from '../manifest/connection-type.js';
import type { Cluster } from './cluster.js';
import { refused, SYNCED, waiting, type Verdict } from './conditions.js';
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

/**
 * Keeps the OAuth client that a manifest names: its secret stays in its Secret, and is sealed here for the issuer that was discovered. A new secret is tried where the issuer has a way for that; one
 * that is refused doesn't replace the one before.
 */
export class PreregisteredClients {
  constructor(private readonly options: PreregisteredClientsOptions) {}

  /** @param changed the manifest was changed: its Secret is read whenever it was read last */
  async keep(situation: SituationThere, type: ConnectionType, oauth: ConnectionTypeManifest['oauth'] | null, changed: boolean): Promise<{ verdict: Verdict; requeueAfterMs?: number }> {
    const { store, cluster, vault, registry, now, random } = this.options;
    const { binding } = situation;
    const clientId = oauth?.clientId;
    if (type.spec.authMethod !== 'OAUTH') return { verdict: SYNCED };
    const [row, current] = await Promise.all([store.oauthClients.discovery(type.id), store.oauthClients.current(type.id)]);
    if (clientId === undefined) {
      if (current?.method === 'PREREGISTERED') await this.#dropped(situation, type);
      return { verdict: SYNCED };
    }
    // The issuer isn't known yet: when it is, this object is looked at again.
    if (row === null) return { verdict: SYNCED };
    const ours = current?.method === 'PREREGISTERED' && current.clientId === clientId && belongsTo(current, row) && current.redirectUri === this.options.oauth.redirectUri;
    const settled = ours && current.state === 'ACTIVE';
    const place = placeOf(row);
    // A server names its issuer itself: its word alone sends a secret to nobody else. Whoever changes the manifest after that was said has seen it.
    if (oauth?.clientSecretRef !== undefined && binding.secretPlace !== null && binding.secretPlace !== place) {
      if (!changed || !told(situation)) return { verdict: issuerChanged(row) };
      await store.mirrorObjects.update(binding.id, { secretPlace: null });
    }
    const pollMs = oauth?.clientSecretRef === undefined ? null : jittered(SECRET_POLL_MS, random());
    const readAgo = binding.secretsReadAt === null ? Infinity : now().getTime() - binding.secretsReadAt.getTime();
    const wait = pollMs === null ? {} : { requeueAfterMs: pollMs };
    if (settled && !changed && (pollMs === null || readAgo < pollMs)) return { verdict: this.#standing(binding), ...(pollMs !== null && { requeueAfterMs: Math.max(1000, pollMs - readAgo) }) };

    const read = oauth?.clientSecretRef === undefined ? { values: [] } : await secretValues(cluster, { namespace: binding.namespace, serverUrl: type.spec.serverUrl }, [oauth.clientSecretRef]);
    if ('verdict' in read) {
      await store.mirrorObjects.update(binding.id, { secretFailures: binding.secretFailures + 1, secretsReadAt: now() });
      return { verdict: read.verdict, requeueAfterMs: secretRetryMs(binding.secretFailures) };
    }
    const [clientSecret = null] = read.values;
    const fault = clientSecret === null ? null : headerValueFault(clientSecret);
    if (fault !== null) return { verdict: refused('SecretInvalid', `The client secret can't be used. ${fault}`), requeueAfterMs: SECRET_POLL_MS };
    const hash = await vault.keyedHash(type.teamId, `client secret ${type.id} ${clientId} ${clientSecret ?? ''}`);
    const seen = { secretsReadAt: now(), secretFailures: 0 };
    const same = binding.secretHash?.equals(hash) === true;
    if (settled && same) {
      await store.mirrorObjects.update(binding.id, { ...seen, secretPlace: place, refusedHash: null });
      return { verdict: SYNCED, ...wait };
    }
    const accepted = await registry.accepts(discoveryOf(row), clientId, clientSecret);
    // Where it can't be tried, the value that the issuer has refused is not taken for a new one.
    if (accepted === false || (accepted === null && ours && same)) {
      await store.mirrorObjects.update(binding.id, { ...seen, secretPlace: place, refusedHash: hash });
      return { verdict: settled ? REFUSED_VALUE : REFUSED_CLIENT, ...wait };
    }
    const left = await fenced(store, situation.claim, type.teamId, async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      const known = await repositories.oauthClients.discovery(type.id);
      // Somebody has found another issuer meanwhile: the secret was shown to the one before, and stays with it.
      if (known !== null && !samePlace(known, row)) {
        await repositories.mirrorObjects.update(binding.id, { secretPlace: place });
        return known;
      }
      const before = await repositories.oauthClients.current(type.id);
      if (before !== null) await registry.retire(repositories, before, 'Its manifest names another client, or another secret of it.');
      await registry.record(repositories, type, discoveryOf(row), this.options.oauth.redirectUri, { method: 'PREREGISTERED', clientId, clientSecret });
      await repositories.mirrorObjects.update(binding.id, { ...seen, secretHash: hash, secretPlace: place, refusedHash: null });
      return null;
    });
    if (left !== null) return { verdict: oauth?.clientSecretRef === undefined ? SYNCED : issuerChanged(left), requeueAfterMs: LOOK_AGAIN_MS };
    await this.options.oauth.observe(type.id);
    return { verdict: SYNCED, ...wait };
  }

  /** What is to be said while nothing is read. */
  #standing({ secretFailures, refusedHash }: SituationThere['binding']): Verdict {
    if (secretFailures > 0) return waiting('SecretNotFound', 'The Secret that this manifest names can\'t be used now; the client secret that was read before stays.');
    return refusedHash === null ? SYNCED : REFUSED_VALUE;
  }

  /** The manifest names no client any more: the next check of the type registers one. */
  async #dropped(situation: SituationThere, type: ConnectionType): Promise<void> {
    await fenced(this.options.store, situation.claim, type.teamId, async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      const before = await repositories.oauthClients.current(type.id);
      if (before?.method === 'PREREGISTERED') await this.options.registry.retire(repositories, before, 'Its manifest names no client any more.');
      await repositories.mirrorObjects.update(situation.binding.id, { secretHash: null, refusedHash: null, secretsReadAt: null, secretFailures: 0 });
      await repositories.schedule.mark('ConnectionType', [type.id]);
    });
    await this.options.oauth.observe(type.id);
  }
}

const LOOK_AGAIN_MS = 1000;

/** Where a client's secret goes: to the issuer's token endpoint. */
function placeOf({ issuer, tokenHost }: OAuthDiscovery): string {
  return `${issuer} ${tokenHost}`;
}

/** Whether the manifest's status said, before it was changed, that the issuer is another one. */
function told({ rows }: SituationThere): boolean {
  return condition(rows.typeStatus?.conditions ?? [], 'Synced')?.reason === ISSUER_CHANGED;
}

const ISSUER_CHANGED = 'IssuerChanged';

function issuerChanged({ issuer, tokenHost }: OAuthDiscovery): Verdict {
  return refused(ISSUER_CHANGED, `The server's logins are issued by ${JSON.stringify(issuer)} now, with tokens from ${JSON.stringify(tokenHost)}: the client's secret was for another place, and stays away from this one. If that is right, put the secret for it into the Secret, and change this manifest (spec.description will do).`);
}

const REFUSED_VALUE = refused('SecretRefused', 'The Secret holds a new client secret, which the issuer refuses: the one before stays in use. Put the right one into the Secret.');
const REFUSED_CLIENT = refused('SecretRefused', 'The issuer refuses spec.oauth.clientId with the client secret of the Secret: put the right one into the Secret, or correct the clientId.');
