import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { Registry } from 'prom-client';
import { createConsent, type Consent } from '#api/consent/create-consent.js';
import { createHttpServer, type HttpServer } from '#api/http/server.js';
import type { OidcConfig } from '#core/config/config.js';
import { connectionTypeSpec, type ConnectionTypeSpecInput } from '#core/connection/spec.js';
import { currentTarget } from '#core/connection/target.js';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { createLogger } from '#core/log.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { clientMetadataDocument } from '#core/oauth/client-metadata.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import { newId } from '#core/store/ids.js';
import { migrate } from '#core/store/migrate.js';
import { Store } from '#core/store/store.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { Leftovers } from '#core/upkeep/leftovers.js';
import { awaitingConsent } from '#core/upkeep/observations.js';
import { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { Upkeep } from '#core/upkeep/upkeep.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { createDatabase, type TestDatabase } from '../database.js';

/** How a world differs from local mode without an issuer. */
export interface ConsentWorldOptions {
  localMode?: boolean;
  oidc?: Partial<OidcConfig> & Pick<OidcConfig, 'issuer' | 'signIn'>;
  returnOrigins?: string[];
  /** A name of this machine, other than its address. */
  publicHost?: string;
  /** As if the installation were known under it; nobody listens there. */
  publicUrl?: string;
}

/** A team, a database, and the HTTP server with the consent pages, as `start-api` composes them. */
export class ConsentWorld {
  readonly lines: string[] = [];
  consent!: Consent;
  #server!: HttpServer;
  #egress!: Egress;
  #leftovers!: Leftovers;
  #publicUrl!: () => string;
  oauth!: TypeOAuth;
  registry!: OAuthClientRegistry;
  upkeep!: Upkeep;

  private constructor(readonly database: TestDatabase, readonly store: Store, readonly vault: Vault, readonly box: CredentialBox, readonly team: Team) {}

  static async create(options: ConsentWorldOptions = {}): Promise<ConsentWorld> {
    const database = await createDatabase({ name: 'migrated', fill: async (url) => { await migrate(url); } });
    const store = await Store.open({ url: database.url, poolSize: 5 });
    const vault = new Vault(KeyRing.parse(KeyRing.generateEntry()), store.keys);
    const world = new ConsentWorld(database, store, vault, new CredentialBox(vault), await store.teams.insert('logistics', 'Logistics'));
    await world.#start(options);
    return world;
  }

  /** Where people reach it. */
  get url(): string {
    return this.#publicUrl();
  }

  /** Where it listens, whatever it is known as. */
  get listening(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async #start(options: ConsentWorldOptions): Promise<void> {
    const { localMode = true } = options;
    const logger = createLogger('debug', { write: (line: string) => void this.lines.push(line) });
    const now = () => new Date();
    this.#egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
    const opener = new SessionOpener({ egress: this.#egress, clientInfo: { name: 'fairlead-test', version: '0.0.0' }, parse: parseLossless });
    const transport = { egress: this.#egress, timeoutMs: 10_000 };
    const registry = this.registry = new OAuthClientRegistry({ store: this.store, vault: this.vault, transport, clientName: 'Fairlead', now });
    this.#leftovers = new Leftovers({ store: this.store, vault: this.vault, box: this.box, registry, transport, clientName: 'Fairlead', now, random: () => 0, logger });
    this.oauth = new TypeOAuth({
      store: this.store, registry, transport, redirectUri: () => `${this.url}/oauth/callback`, clientMetadataUrl: () => null, now, clock: () => performance.now(), changed: () => undefined,
    });
    this.upkeep = new Upkeep({
      store: this.store, box: this.box, now, changed: () => undefined,
      probe: (url, headers, timeoutMs) => probeServer({ url, headers, opener, egress: this.#egress, timeoutMs, clock: () => performance.now() }),
    });
    const oidc = options.oidc === undefined ? null : { audience: 'fairlead', subjectClaim: 'sub', nameClaim: 'name', groupsClaim: null, groups: [], admins: [], ...options.oidc };
    const publicUrl = () => options.publicUrl ?? `http://${options.publicHost ?? '127.0.0.1'}:${this.#server.port}`;
    this.#publicUrl = publicUrl;
    this.consent = createConsent({
      config: { localMode, oidc, returnOrigins: options.returnOrigins ?? [], introspection: true },
      store: this.store, vault: this.vault, box: this.box, upkeep: this.upkeep, fetch, logger, now, publicUrl, changed: () => undefined,
      transport, random: () => 0,
      setupOf: (type) => this.oauth.setupOf(type),
      clientRefused: (type, clientRowId) => this.oauth.clientRefused(type, clientRowId),
      orphaned: (orphan) => this.#leftovers.orphaned(orphan),
      clientMetadata: () => clientMetadataDocument(publicUrl(), null, { clientName: 'Fairlead', redirectUri: `${publicUrl()}/oauth/callback` }),
    });
    this.#server = await createHttpServer({
      schema: new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: () => 'world' } } }) }),
      context: async () => ({}), host: '127.0.0.1', port: 0, publicUrl: options.publicUrl, localMode, corsOrigins: ['https://console.example.com'], introspection: true, bodyLimit: 100_000,
      logger, metrics: new Registry(), ready: async () => ({ ok: true, checks: {} }), addRoutes: this.consent.addRoutes,
    });
    await this.#server.listen();
  }

  async close(): Promise<void> {
    await this.#server.close(0);
    await this.#leftovers.stop();
    await this.#egress.close();
    await this.store.close();
    await this.database.drop();
  }

  member(subject: string, displayName: string, local = true): Promise<Member> {
    return this.store.members.upsert({ teamId: this.team.id, subject, local, displayName, role: 'MEMBER', source: 'API' });
  }

  /** As a manager's `createConnectionType` makes it. */
  async type(serverUrl: string, values: Partial<ConnectionTypeSpecInput> = {}, name = 'warehouse'): Promise<ConnectionType> {
    const spec = connectionTypeSpec.parse({ displayName: 'Warehouse', serverUrl, authMethod: 'OAUTH', ...values });
    const type = await this.store.connectionTypes.insert(this.team.id, name, spec);
    const look = await this.oauth.look(serverUrl, await this.upkeep.look(spec), spec);
    if (look.report.found === null) throw new Error(look.report.failure.message);
    const { found } = look.report;
    const client = await this.store.transaction((repositories) => this.oauth.save(repositories, type, found, this.oauth.choose(spec, null, look)));
    const fault = await this.oauth.register(type, client, found);
    if (fault !== null) throw fault;
    return type;
  }

  /** A new enrollment, as `enroll` makes it. */
  async enroll(type: ConnectionType, owner: Member, label = ''): Promise<Enrollment> {
    const id = newId();
    const target = currentTarget(type.spec);
    const enrollment = await this.store.enrollments.insert(
      { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: owner.id, label, shared: false, origin: 'API', confirmedTarget: target },
      { enrollmentId: id, teamId: type.teamId, kind: 'OAUTH', version: 1, sealed: null, fields: [] },
      { enrollmentId: id, conditions: [], toolsSyncedAt: null },
    );
    await this.store.enrollments.updateStatus(id, { conditions: awaitingConsent().map((one) => ({ ...one, lastTransitionTime: new Date().toISOString(), observedGeneration: type.version })) });
    return enrollment;
  }

  /** A link, as `enroll` and `startAuthorization` answer it. */
  async link(enrollment: Enrollment, returnUrl: string | null = null): Promise<string> {
    const { url } = await this.store.transaction((repositories) => this.consent.service.start(repositories, {
      teamId: enrollment.teamId, memberId: enrollment.ownerId, enrollmentId: enrollment.id, returnUrl,
    }));
    return url;
  }

  /** Everything that is stored of an enrollment's login. */
  async stored(enrollment: Enrollment) {
    const [credential] = await this.store.enrollments.credentials([enrollment.id]);
    const [status] = await this.store.enrollments.statuses([enrollment.id]);
    const now = (await this.store.enrollments.byId(enrollment.id))!;
    const consent = await this.store.oauthAuthorizations.latest(enrollment.id);
    const type = (await this.store.connectionTypes.byId(enrollment.connectionTypeId))!;
    const key = { teamId: enrollment.teamId, enrollmentId: enrollment.id, version: credential!.version, target: now.confirmedTarget };
    const value = credential!.sealed === null ? null : await this.box.open(key, credential!.sealed, type.spec);
    return { enrollment: now, credential: credential!, value, conditions: status!.conditions, grant: await this.store.oauthGrants.byId(enrollment.id), consent: consent! };
  }
}
