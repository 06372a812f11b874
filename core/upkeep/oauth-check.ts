import type { Discovery } from '../oauth/discovery.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { OAuthClient, OAuthDiscovery } from '../store/entities/oauth-client.entity.js';
import type { Repositories, Store } from '../store/store.js';
import { suspendLogins } from './issuer-changed.js';
import type { OAuthClientRegistry } from './oauth-clients.js';
import { standingOf, type LookStanding } from './oauth-look-fence.js';
import { belongsTo, pinned, samePlace } from './oauth-place.js';
import { AT_ONCE, writeInRun, type CheckRun } from './run.js';
import { rowOf, type OAuthLook, type TypeOAuth } from './type-oauth.js';

/** What {@link OAuthCheck} is built of. */
export interface OAuthCheckOptions {
  store: Store;
  oauth: TypeOAuth;
  registry: OAuthClientRegistry;
  now: () => Date;
}

/** A registration whose answer was not stored within this time was cut off by a crash: its deadline is far shorter. */
const CUT_OFF_MS = 120_000;
/** So often a look is made, when each time others were faster; then theirs counts. */
const LOOKS = 3;

/** Keeps a connection type's OAuth true: reads the metadata again, notices a changed issuer, and sees to a usable client. */
export class OAuthCheck {
  constructor(private readonly options: OAuthCheckOptions) {}

  /**
   * Level-triggered: a second run right after the first writes nothing but times. Everything that it decides is written only while the run counts; a registration is
   * on record before it is sent, and its answer, which exists nowhere else, is stored for as long as that record waits for it.
   * @throws {RunOver}
   */
  async check(type: ConnectionType, probe: Pick<ProbeReport, 'verdict' | 'challenge'>, run: CheckRun = AT_ONCE): Promise<void> {
    if (type.spec.authMethod !== 'OAUTH' || (probe.verdict !== 'OK' && probe.verdict !== 'AUTHENTICATION_REQUIRED')) return;
    for (let left = LOOKS; left > 0; left -= 1) {
      if ((await this.#look(type, probe, run)) !== 'OVERTAKEN') return;
    }
  }

  /** One look, and what follows from it. Nothing does, unless what it began from stands when it has ended. */
  async #look(type: ConnectionType, probe: Pick<ProbeReport, 'verdict' | 'challenge'>, run: CheckRun): Promise<LookStanding> {
    const { store, oauth, registry } = this.options;
    const before = await store.oauthClients.discovery(type.id);
    const look = await oauth.look(type.spec.serverUrl, probe, type.spec, before?.issuer ?? null, run.signal);
    const { found, failure } = look.report;
    // Somebody who didn't answer proves nothing: what is known stays.
    if (found === null) return oauth.observe(type.id, failure.code === 'UNREACHABLE' ? null : { failure, began: { type, before } }, run);
    const saved = await writeInRun(store, run, async (repositories) => {
      const standing = await standingOf({ type, before }, repositories);
      return standing === 'STANDS' ? { client: await this.#save(repositories, type, before, look, found) } : standing;
    });
    if (typeof saved === 'string') return saved;
    const { client } = saved;
    if (client?.state === 'PENDING') {
      await oauth.register(type, client, found, run);
      return 'STANDS';
    }
    const fault = client === null ? null : await registry.renewIfDue(client, found, run);
    if (client !== null && fault?.code === 'INVALID_CLIENT') await oauth.clientRefused(type, client.id, run);
    else await oauth.observe(type.id, null, run);
    return 'STANDS';
  }

  /** Stores what was found, under the type's lock; answers the client that counts, recorded anew where there was none that is of use. */
  async #save(repositories: Repositories, type: ConnectionType, before: OAuthDiscovery | null, look: OAuthLook, found: Discovery): Promise<OAuthClient | null> {
    const moved = before !== null && !samePlace(before, found);
    await repositories.oauthClients.saveDiscovery(rowOf(type, pinned(found, before), this.options.now()));
    if (moved) await suspendLogins(repositories, type, before, found, this.options.now());
    const client = await repositories.oauthClients.current(type.id);
    if (client !== null && belongsTo(client, found) && !moved) {
      // What a manager entered is theirs to enter anew; its secret stays.
      const bound = client.redirectUri === this.options.oauth.redirectUri || client.method === 'PREREGISTERED';
      return bound ? this.#settled(repositories, client) : this.options.oauth.replaceUnbound(repositories, type, client, found);
    }
    if (client !== null) {
      await this.options.registry.retire(repositories, client, 'The issuer changed; a client belongs to one.');
      // A client that a manager entered belongs to the old issuer: nothing of it goes to the new one.
      if (client.method === 'PREREGISTERED') return null;
    }
    if (type.spec.oauth?.clientId != null || look.outcome.outcome !== 'AUTOMATIC') return null;
    return this.options.registry.record(repositories, type, found, this.options.oauth.redirectUri, this.options.oauth.choose(type.spec, null, look));
  }

  /** A registration that was cut off is of unknown outcome: it is not sent again by itself. One that provably wasn't received is. */
  async #settled(repositories: Repositories, client: OAuthClient): Promise<OAuthClient> {
    const age = this.options.now().getTime() - (client.attemptedAt?.getTime() ?? 0);
    if (client.state !== 'PENDING') return client;
    if (client.message !== null) {
      // Under the type's lock: of two processes, one sends it again.
      await repositories.oauthClients.transition(client.id, ['PENDING'], { message: null, attemptedAt: this.options.now() });
      return client;
    }
    if (age < CUT_OFF_MS) return { ...client, state: 'OUTCOME_UNKNOWN' };
    await repositories.oauthClients.transition(client.id, ['PENDING'], { state: 'OUTCOME_UNKNOWN' });
    return { ...client, state: 'OUTCOME_UNKNOWN' };
  }
}
