import { expect } from '@jest/globals';
import { enrollmentState } from '#core/connection/state.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { startOidcProvider, type OidcProviderServer } from '../oauth-servers/oidc-provider.js';
import type { Person } from './person.js';
import { ConsentWorld } from './world.js';

/** What each test begins with: a type of its own, where Ada has just enrolled. */
export interface Scene {
  type: ConnectionType;
  enrollment: Enrollment;
  /** Which test it is; for names. */
  count: number;
}

/** A world in local mode beside a real provider, and what tests of consent ask of both. */
export class ConsentStage {
  #scene!: Scene;
  #count = 0;

  private constructor(readonly world: ConsentWorld, readonly provider: OidcProviderServer, readonly ada: Member) {}

  static async open(): Promise<ConsentStage> {
    const [world, provider] = await Promise.all([ConsentWorld.create(), startOidcProvider()]);
    return new ConsentStage(world, provider, await world.member('ada', 'Ada Lovelace'));
  }

  /** The scene of the next test; the provider says yes again, and nothing has been seen. */
  async next(): Promise<Scene> {
    const { ada, provider, world } = this;
    const count = this.#count += 1;
    const type = await world.type(provider.mcp.url, {}, `warehouse-${count}`);
    this.#scene = { type, enrollment: await world.enroll(type, ada), count };
    provider.decision = 'approve';
    provider.mcp.tokens.length = 0;
    provider.presentations.length = 0;
    world.lines.length = 0;
    return this.#scene;
  }

  async close(): Promise<void> {
    await Promise.all([this.world.close(), this.provider.close()]);
  }

  get callback(): string {
    return `${this.world.url}/oauth/callback`;
  }

  /** Goes from a link up to the provider's answer, which isn't opened. */
  async answerOf(person: Person, link: string): Promise<string> {
    const sent = await person.press(await person.get(link), 'continue');
    return (await person.follow(sent, this.callback)).location!;
  }

  /** What must be as it was: nothing was stored, and the enrollment waits for consent. */
  async expectNothingStored(): Promise<void> {
    const { credential, conditions, grant } = await this.world.stored(this.#scene.enrollment);
    expect(credential).toMatchObject({ version: 1, sealed: null, fields: [] });
    expect(grant).toMatchObject({ clientId: null, issuer: null, expiresAt: null, refreshable: false });
    expect(enrollmentState(conditions, false, [])).toBe('PENDING_AUTHORIZATION');
    expect(this.provider.mcp.tokens).toEqual([]);
  }

  /** What is on record of the enrollment. */
  async audited() {
    const { rows } = await this.world.store.audit.page(this.world.team.id, { first: 100, after: null });
    return rows.filter((row) => row.subjectId === this.#scene.enrollment.id);
  }
}
