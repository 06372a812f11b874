import type { EntityManager } from 'typeorm';
import { OAuthClient, OAuthDiscovery, type OAuthClientState, type RegistrationMethod } from './entities/oauth-client.entity.js';
import { newId } from './ids.js';

/** What a client is when it is first recorded: before the request goes out. */
export interface NewOAuthClient {
  teamId: string;
  connectionTypeId: string;
  issuer: string;
  tokenHost: string;
  redirectUri: string;
  method: RegistrationMethod;
}

/** Clients at issuers, and what was discovered of the issuers. */
export class OAuthClients {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<OAuthClient | null> {
    return this.manager.findOneBy(OAuthClient, { id });
  }

  /** The client that counts for a type, whatever its state; null when there is none. */
  async current(connectionTypeId: string): Promise<OAuthClient | null> {
    return (await this.currentOf([connectionTypeId]))[0] ?? null;
  }

  /** The clients that count, for many types in one statement. */
  currentOf(connectionTypeIds: readonly string[]): Promise<OAuthClient[]> {
    return this.manager.createQueryBuilder(OAuthClient, 'c').where(`c.connection_type_id = any(:ids) and c.state <> 'RETIRED'`, { ids: connectionTypeIds }).getMany();
  }

  /** All clients of a type that an issuer may still know, for leaving. */
  ofType(connectionTypeId: string): Promise<OAuthClient[]> {
    return this.manager.findBy(OAuthClient, { connectionTypeId });
  }

  /** Records a client as `PENDING`. Throws a unique violation when another one counts already. */
  async insertPending(values: NewOAuthClient): Promise<OAuthClient> {
    const now = new Date();
    const client = this.manager.create(OAuthClient, {
      ...values, id: newId(), state: 'PENDING', version: 1, clientId: null, tokenEndpointAuthMethod: null, sealed: null, clientSecretExpiresAt: null,
      registrationClientUri: null, message: null, attemptedAt: now, createdAt: now, updatedAt: now,
    });
    await this.manager.insert(OAuthClient, client);
    return client;
  }

  /** Moves a client on from the states named, with new values: false when it has left them meanwhile. */
  async transition(id: string, from: readonly OAuthClientState[], values: Partial<Omit<OAuthClient, 'id' | 'teamId' | 'connectionTypeId'>>): Promise<boolean> {
    const result = await this.manager
      .createQueryBuilder().update(OAuthClient).set({ ...values, updatedAt: new Date() } as never)
      .where('id = :id and state in (:...from)', { id, from }).execute();
    return result.affected === 1;
  }

  /** Takes the renewal of this version's secret, which one process sends at a time: false when the version has moved, or another process took it less than `leaseMs` ago. */
  async claimRenewal(id: string, version: number, leaseMs: number): Promise<boolean> {
    const result = await this.manager
      .createQueryBuilder().update(OAuthClient).set({ attemptedAt: () => 'clock_timestamp()' })
      .where(`id = :id and version = :version and state = 'ACTIVE' and (attempted_at is null or attempted_at < clock_timestamp() - :leaseMs * interval '1 millisecond')`, { id, version, leaseMs })
      .execute();
    return result.affected === 1;
  }

  /** Gives it back. */
  async releaseRenewal(id: string, version: number): Promise<void> {
    await this.manager.update(OAuthClient, { id, version }, { attemptedAt: null });
  }

  /** Compare and set on the fence of the sealed value; the renewal is over. */
  async replaceSecrets(id: string, expectedVersion: number, values: Pick<OAuthClient, 'sealed' | 'clientSecretExpiresAt' | 'registrationClientUri'>): Promise<boolean> {
    const result = await this.manager.update(OAuthClient, { id, version: expectedVersion }, { ...values, version: expectedVersion + 1, attemptedAt: null, updatedAt: new Date() });
    return result.affected === 1;
  }

  discovery(connectionTypeId: string): Promise<OAuthDiscovery | null> {
    return this.manager.findOneBy(OAuthDiscovery, { connectionTypeId });
  }

  discoveries(connectionTypeIds: readonly string[]): Promise<OAuthDiscovery[]> {
    return this.manager.createQueryBuilder(OAuthDiscovery, 'd').where('d.connection_type_id = any(:ids)', { ids: connectionTypeIds }).getMany();
  }

  /** Writes what was discovered, in place of what was known. */
  async saveDiscovery(discovery: OAuthDiscovery): Promise<void> {
    await this.manager.upsert(OAuthDiscovery, discovery as never, ['connectionTypeId']);
  }

  async removeDiscovery(connectionTypeId: string): Promise<void> {
    await this.manager.delete(OAuthDiscovery, { connectionTypeId });
  }
}
