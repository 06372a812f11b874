import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { Approvals } from './approvals.js';
import { Assignments } from './assignments.js';
import { AuditTrail } from './audit-trail.js';
import { isDeadlock } from './conflict.js';
import { ConnectionTypes } from './connection-types.js';
import { Enrollments } from './enrollments.js';
import { Assignment, AssignmentPin, AssignmentSlot } from './entities/assignment.entity.js';
import { AuditEvent } from './entities/audit-event.entity.js';
import { ConnectionType, ConnectionTypeStatus } from './entities/connection-type.entity.js';
import { Credential, Enrollment, EnrollmentStatus } from './entities/enrollment.entity.js';
import { Member } from './entities/member.entity.js';
import { MirrorNamespace, MirrorObject } from './entities/mirror.entity.js';
import { OAuthClient, OAuthDiscovery } from './entities/oauth-client.entity.js';
import { OAuthAuthorization, OAuthGrant, OAuthLeftover } from './entities/oauth-grant.entity.js';
import { TeamKey } from './entities/team-key.entity.js';
import { Team } from './entities/team.entity.js';
import { Token } from './entities/token.entity.js';
import { ToolCall, ToolCallPayload } from './entities/tool-call.entity.js';
import { ToolCallApproval } from './entities/tool-call-approval.entity.js';
import { Tool } from './entities/tool.entity.js';
import { Members } from './members.js';
import { MirrorLooks } from './mirror-looks.js';
import { MirrorNamespaces } from './mirror-namespaces.js';
import { MirrorObjects } from './mirror-objects.js';
import { MIGRATIONS } from './migrations/index.js';
import { OAuthAuthorizations } from './oauth-authorizations.js';
import { OAuthClients } from './oauth-clients.js';
import { OAuthGrants } from './oauth-grants.js';
import { OAuthLeftovers } from './oauth-leftovers.js';
import { Partitions } from './partitions.js';
import { Processes } from './processes.js';
import { Schedule } from './schedule.js';
import { TeamKeys } from './team-keys.js';
import { Teams } from './teams.js';
import { Tokens } from './tokens.js';
import { ToolCalls } from './tool-calls.js';
import { Tools } from './tools.js';
import { TypeLooks } from './type-looks.js';
import { STATEMENT_TIMEOUT_MS, WatchedClient } from './watched-client.js';

/** How a store is opened. */
export interface StoreOptions {
  /** A `postgres://` URL. */
  url: string;
  /** Connections at the most. */
  poolSize: number;
  /** Statements may take as long as they like: for migrations. */
  patient?: true;
  /** Called with each SQL statement; tests count statements with it. */
  onStatement?: (sql: string) => void;
}

/**
 * A transaction in which nothing happens for so long belongs to a process that stands still, since none waits for the network: what it has locked is given to those who wait,
 * well before their own time is over.
 */
const STANDSTILL_MS = STATEMENT_TIMEOUT_MS / 3;
/** Of a transaction that is the victim of deadlocks. */
const ATTEMPTS = 3;

/** The repositories, all on one `EntityManager`, so that a transaction's work can't escape it. */
export class Repositories {
  readonly teams: Teams;
  readonly members: Members;
  readonly tokens: Tokens;
  readonly connectionTypes: ConnectionTypes;
  readonly enrollments: Enrollments;
  readonly tools: Tools;
  readonly audit: AuditTrail;
  readonly keys: TeamKeys;
  readonly oauthClients: OAuthClients;
  readonly oauthGrants: OAuthGrants;
  readonly oauthAuthorizations: OAuthAuthorizations;
  readonly oauthLeftovers: OAuthLeftovers;
  readonly processes: Processes;
  readonly schedule: Schedule;
  readonly assignments: Assignments;
  readonly approvals: Approvals;
  readonly mirrorNamespaces: MirrorNamespaces;
  readonly mirrorObjects: MirrorObjects;
  readonly mirrorLooks: MirrorLooks;
  readonly toolCalls: ToolCalls;
  readonly partitions: Partitions;
  readonly typeLooks: TypeLooks;

  constructor(readonly manager: EntityManager) {
    this.teams = new Teams(manager);
    this.members = new Members(manager);
    this.tokens = new Tokens(manager);
    this.connectionTypes = new ConnectionTypes(manager);
    this.enrollments = new Enrollments(manager);
    this.tools = new Tools(manager);
    this.audit = new AuditTrail(manager);
    this.keys = new TeamKeys(manager);
    this.oauthClients = new OAuthClients(manager);
    this.oauthGrants = new OAuthGrants(manager);
    this.oauthAuthorizations = new OAuthAuthorizations(manager);
    this.oauthLeftovers = new OAuthLeftovers(manager);
    this.processes = new Processes(manager);
    this.schedule = new Schedule(manager);
    this.assignments = new Assignments(manager);
    this.approvals = new Approvals(manager);
    this.mirrorNamespaces = new MirrorNamespaces(manager);
    this.mirrorObjects = new MirrorObjects(manager);
    this.mirrorLooks = new MirrorLooks(manager);
    this.toolCalls = new ToolCalls(manager);
    this.partitions = new Partitions(manager);
    this.typeLooks = new TypeLooks(manager);
  }

  /** The time by the database's clock, which all processes share. */
  async now(): Promise<Date> {
    const rows = (await this.manager.query('select clock_timestamp() as now')) as { now: Date }[];
    return rows[0]!.now;
  }

  /** Tells every process, at commit, that something of the team changed. Keys only; never part of a call's transaction. */
  async announce(teamId: string): Promise<void> {
    await this.manager.query(`select pg_notify('fairlead_changed', $1)`, [teamId]);
  }
}

/** PostgreSQL, the system of record. The only way to it; opened once per process. */
export class Store extends Repositories {
  private constructor(readonly dataSource: DataSource) {
    super(dataSource.manager);
  }

  /** Connects. Throws when the database can't be reached; runs no migration. */
  static async open(options: StoreOptions): Promise<Store> {
    const dataSource = new DataSource({
      type: 'postgres',
      driver: pg,
      url: options.url,
      applicationName: 'fairlead',
      poolSize: options.poolSize,
      entities: [
        Assignment, AssignmentPin, AssignmentSlot, AuditEvent, ConnectionType, ConnectionTypeStatus, Credential, Enrollment, EnrollmentStatus, Member, MirrorNamespace, MirrorObject,
        OAuthAuthorization, OAuthClient, OAuthDiscovery, OAuthGrant, OAuthLeftover, Team, TeamKey, Token,
        Tool, ToolCall, ToolCallApproval, ToolCallPayload,
      ],
      migrations: MIGRATIONS,
      migrationsTableName: 'schema_migrations',
      synchronize: false,
      installExtensions: false,
      uuidExtension: 'pgcrypto',
      ...(options.onStatement === undefined ? {} : { logging: ['query'], logger: new StatementListener(options.onStatement) }),
      extra: {
        connectionTimeoutMillis: 10_000, keepAlive: true,
        ...(options.patient === true ? {} : { Client: WatchedClient, statement_timeout: STATEMENT_TIMEOUT_MS, idle_in_transaction_session_timeout: STANDSTILL_MS }),
      },
    });
    await dataSource.initialize();
    return new Store(dataSource);
  }

  /**
   * Runs `work` in one transaction; rolled back when it throws. Never calls the network inside. When PostgreSQL rolled it back to end a deadlock, it is run again from its
   * beginning, twice at the most: locks are taken in one order (docs/adr/0015), but triggers and foreign keys take some of their own.
   */
  async transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.dataSource.transaction((manager) => work(new Repositories(manager)));
      } catch (error) {
        if (!isDeadlock(error) || attempt === ATTEMPTS) throw error;
        // At once it could overtake the one that it made way for, and they would wait for each other again.
        await delay(attempt * (20 + Math.random() * 60));
      }
    }
  }

  /** Answers when the database does. */
  async ping(): Promise<void> {
    await this.dataSource.query('select 1');
  }

  /** Closes all connections; queries under way finish first. */
  async close(): Promise<void> {
    await this.dataSource.destroy();
  }
}

class StatementListener {
  constructor(private readonly listener: (sql: string) => void) {}
  logQuery(sql: string): void {
    this.listener(sql);
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
