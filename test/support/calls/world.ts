import { randomUUID } from 'node:crypto';
import { CallService, type CallServiceOptions } from '#api/call/call-service.js';
import type { CallRequest, ToolCallView } from '#api/call/call-request.js';
import type { Principal } from '#api/identity/principal.js';
import type { CredentialValue } from '#core/connection/credential.js';
import type { Role } from '#core/connection/role.js';
import { connectionTypeSpec, type ConnectionTypeSpec, type ConnectionTypeSpecInput } from '#core/connection/spec.js';
import { currentTarget } from '#core/connection/target.js';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { createLogger } from '#core/log.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { SessionPool } from '#core/mcp/session-pool.js';
import type { RawTool } from '#core/mcp/session.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import { newId } from '#core/store/ids.js';
import { migrate } from '#core/store/migrate.js';
import { Store } from '#core/store/store.js';
import { ToolSchemas } from '#core/tool/arguments.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { Leftovers } from '#core/upkeep/leftovers.js';
import { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { OAuthTokens, type OAuthTokensOptions } from '#core/upkeep/oauth-tokens.js';
import { syncTools } from '#core/upkeep/tool-sync.js';
import { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { createDatabase, type TestDatabase } from '../database.js';
import { REDIRECT_URI } from '../oauth-servers/journey.js';

/** What a call test asks for; the rest has defaults. */
export type AskedCall = Partial<Omit<CallRequest, 'principal'>> & Pick<CallRequest, 'tool'>;

/** One process's worth of parts around a {@link CallService}, on a database that others may share. */
export interface CallProcess {
  service: CallService;
  sessions: SessionPool;
  stop(graceMs?: number): Promise<void>;
}

/** A member with a way to call. */
export interface Caller {
  memberId: string;
  principal: Principal;
  call(asked: AskedCall, through?: CallService): Promise<ToolCallView>;
}

/** Parts that a test may put in the place of the real ones. */
export type CallOverrides = Partial<CallServiceOptions>;

/** Starts the parts of one process. `ring` is the text of the key ring; `overrides` may wrap the real parts. */
export async function startCallProcess(
  databaseUrl: string, ring: string, overrides: CallOverrides | ((real: { vault: Vault; sessions: SessionPool }) => CallOverrides) = {}, logins: LoginOverrides = {},
): Promise<CallProcess & LoginParts & { store: Store; vault: Vault }> {
  const store = await Store.open({ url: databaseUrl, poolSize: 5 });
  const keyRing = new LiveKeyRing(KeyRing.parse(ring));
  const vault = new Vault(keyRing, store.keys);
  const egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead-test', version: '0.0.0' }, parse: parseLossless });
  const sessions = new SessionPool({ open: (target) => opener.open(target), idleMs: 60_000, maxSessions: 100, openTimeoutMs: 10_000 });
  const schemas = new ToolSchemas();
  const now = () => new Date();
  const clock = () => performance.now();
  const changed = (teamId: string): void => service.invalidate(teamId);
  // As in programs: tests hold answers back while something else happens, and machines stand still.
  const transport = { egress, timeoutMs: 15_000 };
  const registry = new OAuthClientRegistry({ store, vault, transport, clientName: 'Fairlead', now });
  const oauth = new TypeOAuth({ store, registry, transport, redirectUri: () => REDIRECT_URI, clientMetadataUrl: () => null, now, clock, changed });
  const leftovers = new Leftovers({ store, vault, box: new CredentialBox(vault), registry, transport, clientName: 'Fairlead', now, random: Math.random, logger: createLogger('silent') });
  const tokens = new OAuthTokens({
    store, box: new CredentialBox(vault), transport, changed, now, clock, random: Math.random, logger: createLogger('silent'), setupOf: (type, issuedTo) => oauth.setupOfLogin(type, issuedTo),
    clientRefused: (type, id) => oauth.clientRefused(type, id), orphaned: (orphan) => leftovers.orphaned(orphan), ...(typeof logins === 'function' ? logins({ store, vault }) : logins),
  });
  const service: CallService = new CallService({
    store, databaseUrl, vault, keyRing, sessions, schemas, tokens, enrollLink: (membership, name) => `https://fairlead.test/${membership.teamSlug}/${name}`, maxInFlight: 100,
    logger: createLogger('silent'), now, clock,
    ...(typeof overrides === 'function' ? overrides({ vault, sessions }) : overrides),
  });
  await service.start();
  const end = async (graceMs: number): Promise<void> => {
    await service.stop(graceMs);
    await tokens.stop();
    await leftovers.stop();
    await sessions.close();
    await schemas.close();
    await egress.close();
    await store.close();
  };
  let ended: Promise<void> | null = null;
  return { service, sessions, store, vault, registry, oauth, tokens, leftovers, stop: (graceMs = 5000) => (ended ??= end(graceMs)) };
}

/** What OAuth logins are kept with. */
export interface LoginParts {
  registry: OAuthClientRegistry;
  oauth: TypeOAuth;
  tokens: OAuthTokens;
  leftovers: Leftovers;
}
export type LoginOverrides = Partial<OAuthTokensOptions> | ((real: { store: Store; vault: Vault }) => Partial<OAuthTokensOptions>);

/** A team with people, types and enrollments in a database of its own, and one process that makes calls. */
export class CallWorld {
  readonly ring = KeyRing.generateEntry();
  readonly #processes: CallProcess[] = [];
  readonly #box: CredentialBox;

  private constructor(readonly database: TestDatabase, ring: string, readonly store: Store, readonly vault: Vault, readonly main: CallProcess & LoginParts, readonly team: Team) {
    this.ring = ring;
    this.#box = new CredentialBox(vault);
    this.#processes.push(main);
  }

  static async create(overrides: CallOverrides = {}, logins: LoginOverrides = {}): Promise<CallWorld> {
    return CallWorld.on(await createDatabase({ name: 'migrated', fill: async (url) => { await migrate(url); } }), KeyRing.generateEntry(), overrides, logins);
  }

  /** On a database that is migrated, and that nobody has used yet. */
  static async on(database: TestDatabase, ring: string, overrides: CallOverrides = {}, logins: LoginOverrides = {}): Promise<CallWorld> {
    const { store, vault, ...main } = await startCallProcess(database.url, ring, overrides, logins);
    return new CallWorld(database, ring, store, vault, main, await store.teams.insert('crew', 'Crew'));
  }

  get service(): CallService {
    return this.main.service;
  }

  /** Another process on the same database. */
  async process(overrides: CallOverrides = {}, logins: LoginOverrides = {}): Promise<CallProcess & LoginParts> {
    const started = await startCallProcess(this.database.url, this.ring, overrides, logins);
    this.#processes.push(started);
    return started;
  }

  async close(): Promise<void> {
    for (const started of this.#processes.reverse()) await started.stop();
    await this.database.drop();
  }

  /** A person in the team, or in `teams`. */
  async caller(subject: string, role: Role = 'MEMBER', teams: Team[] = [this.team]): Promise<Caller> {
    const memberships = [];
    for (const team of teams) {
      const member = await this.store.members.upsert({ teamId: team.id, subject, local: true, displayName: subject, role, source: 'API' });
      memberships.push({ teamId: team.id, teamSlug: team.slug, memberId: member.id, role });
    }
    const principal: Principal = { subject, local: true, displayName: subject, installationAdmin: false, tokenId: null, teamId: null, memberships };
    return { memberId: memberships[0]!.memberId, principal, call: (asked, through = this.service) => through.call(this.request(principal, asked)) };
  }

  request(principal: Principal, asked: AskedCall): CallRequest {
    const named = asked.connectionType === undefined && asked.connectionTypeId === undefined ? { connectionType: 'stock' } : {};
    return { principal, requestId: randomUUID(), signal: new AbortController().signal, arguments: {}, wait: true, ...named, ...asked };
  }

  /** A type with a list of tools of its own. */
  async type(values: Partial<ConnectionTypeSpecInput> & { serverUrl: string }, tools: RawTool[] = [ECHO], { name = 'stock', team = this.team } = {}): Promise<ConnectionType> {
    const spec = connectionTypeSpec.parse({ displayName: 'Stock', authMethod: 'ACCESS_TOKEN', ...values });
    const type = await this.store.connectionTypes.insert(team.id, name, spec);
    await this.tools(type, tools);
    return type;
  }

  /** What the type's server lists now. */
  async tools(type: ConnectionType, tools: RawTool[]): Promise<void> {
    const { id, teamId, spec } = (await this.store.connectionTypes.byId(type.id))!;
    await this.store.transaction(async (repositories) => {
      await syncTools(repositories, { teamId, connectionTypeId: id, enrollmentId: null }, tools, spec.toolPolicy.onChange, new Date());
      await repositories.connectionTypes.updateStatus(id, { toolsSource: 'ANONYMOUS', toolsSyncedAt: new Date() });
      await repositories.announce(teamId);
    });
    this.service.invalidate(teamId);
  }

  async change(type: ConnectionType, values: Partial<ConnectionTypeSpec>): Promise<void> {
    const now = (await this.store.connectionTypes.byId(type.id))!;
    await this.store.transaction(async (repositories) => {
      await repositories.connectionTypes.updateSpec(type.id, now.version, { ...now.spec, ...values });
      await repositories.announce(type.teamId);
    });
    this.service.invalidate(type.teamId);
  }

  async enroll(type: ConnectionType, owner: Caller, { label = '', shared = false, token = 'canary-token-4711' } = {}): Promise<Enrollment> {
    const target = currentTarget(type.spec);
    const id = newId();
    const kind = type.spec.authMethod;
    const value: CredentialValue = kind === 'NONE' ? { kind } : { kind: 'ACCESS_TOKEN', accessToken: token };
    const sealed = await this.#box.seal({ teamId: type.teamId, enrollmentId: id, version: 1, target }, value);
    const enrollment = await this.store.enrollments.insert(
      { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: owner.memberId, label, shared, origin: 'API', confirmedTarget: target },
      { enrollmentId: id, teamId: type.teamId, kind, version: 1, sealed, fields: [] },
      { enrollmentId: id, conditions: [], toolsSyncedAt: null },
    );
    this.service.invalidate(type.teamId);
    return enrollment;
  }

  /** Rows as the database has them. */
  query<T>(sql: string, parameters: unknown[] = []): Promise<T[]> {
    return this.store.dataSource.query(sql, parameters);
  }
}

/** A tool that takes anything. */
export const ECHO: RawTool = { name: 'echo', description: 'Gives the arguments back.', inputSchema: { type: 'object', properties: { nonce: { type: 'string' } } } };
