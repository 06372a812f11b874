import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { startTestApi, type TestApi, type TestMember } from '../api.js';
import { startMinimal, type MinimalServer } from '../mcp-servers/minimal.js';

/** Those who can be told apart by what they may do. STRANGER administers another team, INSTALLATION both. */
export const PEOPLE = ['INSTALLATION', 'ADMIN', 'MANAGER', 'MEMBER', 'OWNER', 'STRANGER'] as const;
export type Person = (typeof PEOPLE)[number];

/** Tokens that don't work any more, or none at all. */
export const OUTSIDERS = ['REVOKED', 'EXPIRED', 'ORPHANED', 'NOBODY'] as const;
export type Outsider = (typeof OUTSIDERS)[number];

const KEY = 'key-of-the-owner-1';

/** Two teams with people of every role, and one object of every kind that belongs to OWNER, a plain member of the team `default`. */
export class AccessWorld {
  readonly tokens = new Map<Person | Outsider, string | null>();
  readonly members = new Map<Person, TestMember>();
  /** Global ids of the fixed objects. */
  readonly ids = { team: '', otherTeam: '', member: '', token: '', guarded: '', pooled: '', enrollment: '', pooledEnrollment: '', ownTool: '', pooledTool: '', call: '', assignment: '' };
  #made = 0;

  private constructor(readonly api: TestApi, readonly guardedServer: MinimalServer) {}

  static async create(): Promise<AccessWorld> {
    const world = new AccessWorld(await startTestApi(), await startMinimal({ credential: { header: 'Authorization', value: `Bearer ${KEY}` } }));
    await world.#people();
    await world.#outsiders();
    await world.#objects();
    return world;
  }

  async close(): Promise<void> {
    await this.api.stop();
    await this.guardedServer.close();
  }

  /** Sends a document as somebody. */
  gql(who: Person | Outsider, document: string, variables: object = {}) {
    return this.api.gql(document, variables, this.tokens.get(who)!);
  }

  must(who: Person, documentOrName: string, variables: object = {}) {
    return this.api.must(documentOrName, variables, this.tokens.get(who));
  }

  /** A name that nothing has yet. */
  fresh(stem: string): string {
    return `${stem}-${++this.#made}`;
  }

  /** A new type of the guarded server; returns its global id. */
  async type(): Promise<string> {
    const input = { team: 'default', displayName: this.fresh('type'), serverUrl: this.guardedServer.url, authMethod: 'ACCESS_TOKEN' };
    return (await this.must('INSTALLATION', 'CreateConnectionType', { input })).connectionType.id;
  }

  /** A new type that has a mirror in a cluster; returns its global id. */
  async mirroredType(): Promise<string> {
    const id = await this.type();
    await this.sql(`insert into mirror_objects (id, team_id, kind, namespace, name, origin, subject_id) select gen_random_uuid(), team_id, 'ConnectionType', 'of-default', name, 'API', id from connection_types where id = '${uuidIn(id)}'`);
    return id;
  }

  /** A new type that a manifest declared which is gone; returns its global id. */
  async orphanedType(): Promise<string> {
    const id = await this.type();
    await this.sql(`with adopts as (select set_config('fairlead.adopts', '${uuidIn(id)}', true)) update connection_types set origin = 'MANIFEST' from adopts where id = '${uuidIn(id)}'`);
    return id;
  }

  /** A new enrollment of somebody for the pooled type; returns its global id. */
  async enrollment(owner: Person, shared = false): Promise<string> {
    const id: string = await this.#enroll(owner, this.ids.pooled, this.fresh('label'));
    if (shared) await this.must(owner, 'ShareEnrollment', { input: { id, shared } });
    return id;
  }

  /** A new local member of the team; returns their global id. */
  async member(): Promise<string> {
    return (await this.must('INSTALLATION', 'SetMember', { input: { team: 'default', subject: this.fresh('somebody'), role: 'MEMBER' } })).member.id;
  }

  /** A new token that acts as OWNER; returns its global id. */
  async token(): Promise<string> {
    return (await this.must('INSTALLATION', 'CreateToken', { input: { team: 'default', name: 'extra', memberId: this.ids.member } })).token.id;
  }

  /** A new assignment with slots for both types; calls of the guarded one wait for approval. Returns its global id. */
  async assignment(): Promise<string> {
    const slots = [{ connectionTypeId: this.ids.guarded, requireApproval: ['*'] }, { connectionTypeId: this.ids.pooled }];
    return (await this.must('MANAGER', 'CreateAssignment', { input: { team: 'default', name: this.fresh('assignment'), slots } })).assignment.id;
  }

  /** A new call of OWNER that waits for approval; returns its global id. */
  async pendingCall(): Promise<string> {
    const input = { connectionTypeId: this.ids.guarded, tool: 'echo', arguments: {}, assignmentId: this.ids.assignment, wait: false };
    return (await this.must('OWNER', 'CallTool', { input })).toolCall.id;
  }

  async #people(): Promise<void> {
    const { api } = this;
    await api.team('other');
    for (const [person, role, team] of [['ADMIN', 'ADMIN'], ['MANAGER', 'MANAGER'], ['MEMBER', 'MEMBER'], ['OWNER', 'MEMBER'], ['STRANGER', 'ADMIN', 'other']] as const) {
      const member = await api.member(role, { team, subject: person === 'ADMIN' ? 'second-admin' : person.toLowerCase() });
      this.members.set(person, member);
      this.tokens.set(person, member.token);
    }
    this.tokens.set('INSTALLATION', api.adminToken);
    const teams = (await api.must('{ viewer { memberships { team { id slug } } } }')).memberships as { team: { id: string; slug: string } }[];
    this.ids.team = teams.find(({ team }) => team.slug === 'default')!.team.id;
    this.ids.otherTeam = teams.find(({ team }) => team.slug === 'other')!.team.id;
    this.ids.member = this.members.get('OWNER')!.id;
  }

  /** Each held by an administrator before it ended, so that nothing but its end can be why it gets nothing. */
  async #outsiders(): Promise<void> {
    const { api } = this;
    const create = async (token: string | null, input: object = {}) => api.must('CreateToken', { input: { team: 'default', name: 'ends', ...input } }, token);
    const revoked = await create(this.tokens.get('ADMIN')!);
    await api.must('RevokeToken', { input: { id: revoked.token.id } });
    const expired = await create(this.tokens.get('ADMIN')!, { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    await this.sql(`update tokens set expires_at = now() - interval '1 second' where expires_at is not null`);
    // The creator of this one has left, its member is still there.
    const leaver = await api.member('ADMIN');
    const orphaned = await create(leaver.token, { memberId: (await api.member('ADMIN')).id });
    await api.must('RemoveMember', { input: { team: 'default', memberId: leaver.id } });
    this.tokens.set('REVOKED', revoked.secret).set('EXPIRED', expired.secret).set('ORPHANED', orphaned.secret).set('NOBODY', null);
  }

  async #objects(): Promise<void> {
    const { ids } = this;
    ids.token = await this.token();
    [ids.guarded, ids.pooled] = [await this.type(), await this.type()];
    ids.enrollment = await this.#enroll('OWNER', ids.guarded, 'of the owner');
    ids.pooledEnrollment = await this.#enroll('MANAGER', ids.pooled, 'of the team');
    await this.must('MANAGER', 'ShareEnrollment', { input: { id: ids.pooledEnrollment, shared: true } });
    ids.assignment = await this.assignment();
    await this.must('OWNER', 'PinEnrollment', { input: { assignmentId: ids.assignment, enrollmentId: ids.enrollment } });
    await this.must('MANAGER', 'PinEnrollment', { input: { assignmentId: ids.assignment, enrollmentId: ids.pooledEnrollment } });
    const tools = async (person: Person, id: string): Promise<string> => (await this.must(person, TOOLS, { id })).tools.nodes[0].id;
    [ids.ownTool, ids.pooledTool] = [await tools('OWNER', ids.guarded), await tools('MANAGER', ids.pooled)];
    const input = { connectionTypeId: ids.guarded, tool: 'echo', arguments: { nonce: 'seen by its caller only' }, idempotencyKey: 'kept' };
    ids.call = (await this.must('OWNER', 'CallTool', { input })).toolCall.id;
  }

  async #enroll(owner: Person, connectionTypeId: string, label: string): Promise<string> {
    return (await this.must(owner, 'Enroll', { input: { connectionTypeId, label, accessToken: KEY } })).enrollment.id;
  }

  /** What can't be brought about through the API: the passing of time, say. */
  async sql(statement: string): Promise<void> {
    const client = new Client({ connectionString: this.api.databaseUrl });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  }
}

/** The UUID in a global id. */
function uuidIn(id: string): string {
  return Buffer.from(id, 'base64url').toString().split(':')[1]!;
}

const TOOLS = 'query ($id: ID!) { connectionType(id: $id) { tools { nodes { id } } } }';

/** The credential that the guarded server takes. */
export const OWNERS_KEY = KEY;

/** The same variables with ids and slugs of nothing that exists; those in the fields `known` stay. */
export function unknownVariables(variables: unknown, known: readonly string[] = []): unknown {
  if (typeof variables === 'string') return unknownText(variables);
  if (Array.isArray(variables)) return variables.map((one) => unknownVariables(one, known));
  if (typeof variables !== 'object' || variables === null) return variables;
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, known.includes(name) ? value : unknownVariables(value, known)]));
}

function unknownText(text: string): string {
  if (text === 'default') return 'no-such-team';
  const [, type] = /^(\w+):[0-9a-f-]{36}$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  return type === undefined ? text : Buffer.from(`${type}:${randomUUID()}`).toString('base64url');
}
