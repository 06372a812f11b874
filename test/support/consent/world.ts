import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { Registry } from 'prom-client';
import { createConsent, type Consent } from '#api/consent/create-consent.js';
import type { OAuthSetup } from '#api/consent/parts.js';
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
import { discoverOAuth } from '#core/oauth/discovery.js';
import { registerClient } from '#core/oauth/registration.js';
import type { OAuthTransport } from '#core/oauth/transport.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import { newId } from '#core/store/ids.js';
import { migrate } from '#core/store/migrate.js';
import { Store } from '#core/store/store.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { awaitingConsent } from '#core/upkeep/observations.js';
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

/** A team, a database, and the HTTP server with the consent pages, as `start-api` composes them; registration is what a manager's `createConnectionType` would have done. */
export class ConsentWorld {
  readonly lines: string[] = [];
  /** Types whose client a provider refused. */
  readonly refusedClients: string[] = [];
  consent!: Consent;
  #server!: HttpServer;
  #egress!: Egress;
  #publicUrl!: () => string;
  readonly #setups = new Map<string, Promise<OAuthSetup>>();

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
    const upkeep = new Upkeep({
      store: this.store, box: this.box, now, changed: () => undefined,
      probe: (url, headers, timeoutMs) => probeServer({ url, headers, opener, egress: this.#egress, timeoutMs, clock: () => performance.now() }),
    });
    const oidc = options.oidc === undefined ? null : { audience: 'fairlead', subjectClaim: 'sub', nameClaim: 'name', groupsClaim: null, groups: [], admins: [], ...options.oidc };
    const publicUrl = () => options.publicUrl ?? `http://${options.publicHost ?? '127.0.0.1'}:${this.#server.port}`;
    this.#publicUrl = publicUrl;
    this.consent = createConsent({
      config: { localMode, oidc, returnOrigins: options.returnOrigins ?? [], introspection: true },
      store: this.store, vault: this.vault, box: this.box, upkeep, fetch, logger, now, publicUrl, changed: () => undefined,
      transport: this.transport, random: () => 0,
      setupOf: (type) => this.setupOf(type),
      clientRefused: async (type) => void this.refusedClients.push(type.name),
      clientMetadata: () => clientMetadataDocument(publicUrl(), null, { clientName: 'Fairlead', redirectUri: `${publicUrl()}/oauth/callback` }),
    });
    this.#server = await createHttpServer({
      schema: new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: () => 'world' } } }) }),
      context: async () => ({}), host: '127.0.0.1', port: 0, publicUrl: options.publicUrl, localMode, corsOrigins: ['https://console.example.com'], introspection: true, bodyLimit: 100_000,
      logger, metrics: new Registry(), ready: async () => ({ ok: true, checks: {} }), addRoutes: this.consent.addRoutes,
    });
    await this.#server.listen();
  }

  get transport(): OAuthTransport {
    return { egress: this.#egress, timeoutMs: 10_000 };
  }

  async close(): Promise<void> {
    await this.#server.close(0);
    await this.#egress.close();
    await this.store.close();
    await this.database.drop();
  }

  member(subject: string, displayName: string, local = true): Promise<Member> {
    return this.store.members.upsert({ teamId: this.team.id, subject, local, displayName, role: 'MEMBER', source: 'API' });
  }

  async type(serverUrl: string, values: Partial<ConnectionTypeSpecInput> = {}, name = 'warehouse'): Promise<ConnectionType> {
    const type = await this.store.connectionTypes.insert(this.team.id, name, connectionTypeSpec.parse({ displayName: 'Warehouse', serverUrl, authMethod: 'OAUTH', ...values }));
    await this.setupOf(type);
    return type;
  }

  /** Discovers and registers, once for each type. */
  setupOf(type: ConnectionType): Promise<OAuthSetup> {
    const known = this.#setups.get(type.id) ?? this.#setUp(type);
    this.#setups.set(type.id, known);
    return known;
  }

  /** As if a manager had changed the client. */
  forgetSetup(type: ConnectionType): void {
    this.#setups.delete(type.id);
  }

  async #setUp(type: ConnectionType): Promise<OAuthSetup> {
    const { serverUrl } = type.spec;
    const challenged = await fetch(serverUrl, { method: 'POST' });
    const report = await discoverOAuth({ serverUrl, challenge: challenged.headers.get('www-authenticate'), transport: this.transport, allowUnadvertisedPkce: false, clock: () => performance.now() });
    await challenged.text();
    if (report.found === null) throw new Error(report.failure.message);
    const discovery = report.found;
    const redirectUri = `${this.url}/oauth/callback`;
    const registered = await registerClient({ discovery, transport: this.transport, clientName: 'Fairlead', redirectUri, now: new Date() });
    const { pkceAdvertised: _pkce, ...row } = discovery;
    await this.store.oauthClients.saveDiscovery({ connectionTypeId: type.id, serverUrl, ...row, metadata: { ...row.metadata }, discoveredAt: new Date() });
    const before = await this.store.oauthClients.current(type.id);
    if (before !== null) await this.store.oauthClients.transition(before.id, ['ACTIVE'], { state: 'RETIRED' });
    const client = await this.store.oauthClients.insertPending({ teamId: type.teamId, connectionTypeId: type.id, issuer: discovery.issuer, redirectUri, method: 'DYNAMIC' });
    await this.store.oauthClients.transition(client.id, ['PENDING'], { state: 'ACTIVE', clientId: registered.clientId, tokenEndpointAuthMethod: registered.authMethod });
    return { clientRowId: client.id, client: registered, discovery };
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
