import { nodeId } from '#core/connection/node-id.js';
import { currentTarget } from '#core/connection/target.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import { newId } from '#core/store/ids.js';
import type { Repositories, Store } from '#core/store/store.js';
import { awaitingConsent } from '#core/upkeep/observations.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import { enrollmentManifest, type EnrollmentManifest } from '../manifest/enrollment.js';
import { ADOPT_ANNOTATION } from '../manifest/resources.js';
import { refused, SYNCED, syncedFromNow, waiting, type Verdict } from './conditions.js';
import type { CredentialKeeper, TriedCredential } from './credential-keeper.js';
import { isNamed, ownerOf } from './enrollment-owner.js';
import { agreesWithAddress, misfit } from './manifest-credential.js';
import { manifestFault } from './manifest-fault.js';
import { audited, fenced, type Outcome, type SituationThere } from './situation.js';

/** What {@link EnrollmentImporter} is built of. */
export interface EnrollmentImporterOptions {
  store: Store;
  upkeep: Pick<Upkeep, 'status'>;
  keeper: CredentialKeeper;
  now: () => Date;
}

/** How often it is looked for what a person was asked to do elsewhere: to let an owner in, to make an offer. */
const PERSON_LOOK_MS = 15_000;
/** A type that is made marks those who wait for it; one that was committed while its name was being written down is found by this. */
const TYPE_LOOK_MS = 5000;

/** Brings an Enrollment manifest to its row: machine users' credentials from Secrets, persons' logins waiting for their consent. */
export class EnrollmentImporter {
  constructor(private readonly options: EnrollmentImporterOptions) {}

  async import(situation: SituationThere): Promise<Outcome> {
    const { store } = this.options;
    const { object, namespace, rows } = situation;
    const parsed = enrollmentManifest.safeParse(object.spec);
    if (!parsed.success) return { verdict: refused('InvalidSpec', manifestFault(parsed.error)) };
    const manifest = parsed.data;
    const binding = await this.#named(situation, manifest);
    const type = namedBy(manifest, situation) ?? (await store.connectionTypes.byName(namespace.teamId, manifest.connectionTypeRef.name));
    if (type === null) return { binding, verdict: waiting('ConnectionTypeNotFound', `The team has no connection type ${JSON.stringify(manifest.connectionTypeRef.name)} yet: apply it, too.`), requeueAfterMs: TYPE_LOOK_MS };
    const wrong = misfit(manifest, type.spec);
    if (wrong !== null) return { binding, verdict: wrong };
    const bound = rows.enrollment;
    if (bound === null) return this.#create({ ...situation, binding }, manifest, type);
    return this.#follow({ ...situation, binding }, manifest, type, bound);
  }

  /** The binding with the type's name, by which it hears of the type; and without a row that is gone. */
  async #named({ binding, rows }: SituationThere, manifest: EnrollmentManifest): Promise<MirrorObject> {
    const { store } = this.options;
    const gone = binding.subjectId !== null && rows.enrollment === null;
    const values = {
      ...(binding.shareAsked !== manifest.shared && { shareAsked: manifest.shared }),
      ...(binding.typeName !== manifest.connectionTypeRef.name && { typeName: manifest.connectionTypeRef.name }),
      // What it was bound to ended, with its type or its owner.
      ...(gone && { subjectId: null, generation: null, secretHash: null, secretsReadAt: null, lostType: true }),
    };
    if (Object.keys(values).length === 0) return binding;
    await store.mirrorObjects.update(binding.id, values);
    return { ...binding, ...values };
  }

  async #create(situation: SituationThere, manifest: EnrollmentManifest, type: ConnectionType): Promise<Outcome> {
    const { store, keeper } = this.options;
    const { binding, claim, namespace, object } = situation;
    const adopted = await this.#adopted(situation, manifest, type);
    if (adopted !== null) return adopted;
    if (type.spec.authMethod !== 'OAUTH' && binding.lostType && !(await this.#confirmed(situation))) {
      return { binding, verdict: refused('Suspended', `What it was for is gone: its connection type, or its owner, whom an administrator removed. The one of that name goes to ${type.spec.serverUrl} now: confirm that by a change of this manifest (spec.label will do), or delete it and apply it anew.`) };
    }
    // Who may own it is asked before a Secret is read.
    const allowed = await store.transaction((repositories) => ownerOf(repositories, namespace.teamId, manifest.owner, type.spec.authMethod));
    if ('verdict' in allowed) return { binding, verdict: allowed.verdict, requeueAfterMs: PERSON_LOOK_MS };
    if (type.spec.authMethod !== 'OAUTH' && !agreesWithAddress(manifest, type.spec)) return { binding, verdict: refused('Suspended', `The connection type goes to ${type.spec.serverUrl}, this manifest's serverUrl says otherwise: change one of them.`) };
    const first = type.spec.authMethod === 'OAUTH' ? null : await keeper.first(situation, manifest, type);
    if (first !== null && 'verdict' in first) return { binding, ...first };
    try {
      const id = newId();
      const fresh = await fenced(store, claim, namespace.teamId, async (repositories) => {
        await this.#insert(repositories, { id, type, ownerId: allowed.owner.id, manifest, first });
        const values = {
          teamId: namespace.teamId, origin: 'MANIFEST', state: 'ACTIVE', subjectId: id, objectUid: object.metadata.uid, generation: String(object.metadata.generation), version: type.version, conditions: [],
          lostType: false, tombstonedAt: null, graceUntil: null, shareAgreed: first !== null, ...(first !== null && { secretHash: first.hash, secretsReadAt: this.options.now(), secretFailures: 0, refusedHash: null }),
        } as const satisfies Partial<MirrorObject>;
        await repositories.mirrorObjects.update(binding.id, values);
        await audited(repositories, situation, 'createFromManifest', id);
        return { ...binding, ...values };
      });
      return { binding: fresh, verdict: sharingVerdict(manifest, fresh), ...poll(keeper, fresh, manifest) };
    } catch (error) {
      if (isUniqueViolation(error)) return { binding, verdict: labelTaken(manifest) };
      throw error;
    }
  }

  /** Whether the manifest was changed since it was first said that its type is another one: whoever did that has seen it. */
  async #confirmed({ binding, object }: SituationThere): Promise<boolean> {
    const generation = String(object.metadata.generation);
    if (binding.generation === null) await this.options.store.mirrorObjects.update(binding.id, { generation });
    return binding.generation !== null && binding.generation !== generation;
  }

  async #insert(repositories: Repositories, { id, type, ownerId, manifest, first }: { id: string; type: ConnectionType; ownerId: string; manifest: EnrollmentManifest; first: TriedCredential | null }): Promise<void> {
    const { keeper, upkeep } = this.options;
    const credential = first === null ? { enrollmentId: id, teamId: type.teamId, kind: 'OAUTH' as const, version: 1, sealed: null, fields: [] } : await keeper.seal({ id, teamId: type.teamId }, type, first.value);
    await repositories.enrollments.insert(
      { id, teamId: type.teamId, connectionTypeId: type.id, ownerId, label: manifest.label, shared: manifest.shared && first !== null, origin: 'MANIFEST', confirmedTarget: currentTarget(type.spec) },
      credential, { enrollmentId: id, conditions: syncedFromNow(type.version, this.options.now()), toolsSyncedAt: null },
    );
    if (first === null) await upkeep.status.writeEnrollment(repositories, type, id, awaitingConsent());
    else await keeper.written(repositories, type, id, first.trial);
  }

  /** A row that was offered, for exactly this manifest: it keeps its id, its owner and its credential. Null where none is asked for. */
  async #adopted(situation: SituationThere, manifest: EnrollmentManifest, type: ConnectionType): Promise<Outcome | null> {
    const { store } = this.options;
    const { object, binding, claim, namespace } = situation;
    const wanted = object.metadata.annotations?.[ADOPT_ANNOTATION];
    if (wanted === undefined) return null;
    const offered = (await store.mirrorObjects.in([binding.namespace])).find((one) => one.kind === 'Enrollment' && one.state === 'OFFERED' && one.subjectId !== null && nodeId('Enrollment', one.subjectId) === wanted);
    const row = offered === undefined ? null : await store.enrollments.byId(offered.subjectId!);
    if (offered === undefined || row === null) return { binding, verdict: refused('NotOffered', `No enrollment with the id in ${ADOPT_ANNOTATION} is offered: offer it with offerOwnership, or take the annotation away.`), requeueAfterMs: PERSON_LOOK_MS };
    const [owner] = await store.members.byIds([row.ownerId]);
    if (row.connectionTypeId !== type.id || owner === undefined || !isNamed(owner, manifest.owner)) return { binding, verdict: refused('AdoptionMismatch', 'The enrollment that is offered is for another connection type, or of another owner: a manifest says the same of both.') };
    const fresh = await fenced(store, claim, namespace.teamId, async (repositories) => {
      await repositories.enrollments.setOrigin(row.id, 'MANIFEST');
      if (offered.id !== binding.id) await repositories.mirrorObjects.remove(offered.id);
      await repositories.mirrorObjects.update(binding.id, { teamId: namespace.teamId, origin: 'MANIFEST', state: 'ACTIVE', subjectId: row.id, objectUid: object.metadata.uid, generation: null, shareAgreed: row.shared, appliedHash: null, conditions: [] });
      await audited(repositories, situation, 'applyManifest', row.id);
      return (await repositories.mirrorObjects.byId(binding.id))!;
    });
    return this.#follow({ ...situation, binding: fresh }, manifest, type, row);
  }

  async #follow(situation: SituationThere, manifest: EnrollmentManifest, type: ConnectionType, bound: Enrollment): Promise<Outcome> {
    const { store, keeper } = this.options;
    const { object, claim, namespace } = situation;
    let { binding } = situation;
    const { uid, generation } = object.metadata;
    const changed = binding.generation !== String(generation) || binding.objectUid !== uid;
    const shared = manifest.shared && binding.shareAgreed;
    const differs = changed || Boolean(bound.deletedAt) || binding.state !== 'ACTIVE' || bound.label !== manifest.label || bound.shared !== shared;
    if (differs) {
      try {
        const restores = binding.state === 'TOMBSTONE';
        binding = await fenced(store, claim, namespace.teamId, async (repositories) => {
          if (restores) await repositories.mirrorObjects.serialise(namespace.teamId);
          if (bound.deletedAt) await repositories.enrollments.show(bound.id);
          if (bound.label !== manifest.label || bound.shared !== shared) {
            if (!shared) await repositories.connectionTypes.endSharedLists({ enrollmentId: bound.id });
            await repositories.enrollments.update(bound.id, { label: manifest.label, ...(bound.shared !== shared && { shared }) });
          }
          await repositories.mirrorObjects.update(binding.id, { teamId: namespace.teamId, state: 'ACTIVE', objectUid: uid, generation: String(generation), version: type.version, tombstonedAt: null, graceUntil: null, conditions: [] });
          if (restores) await repositories.mirrorObjects.restored(namespace.teamId);
          await audited(repositories, situation, 'applyManifest', bound.id);
          return (await repositories.mirrorObjects.byId(binding.id))!;
        });
      } catch (error) {
        if (isUniqueViolation(error)) return { binding, verdict: labelTaken(manifest) };
        throw error;
      }
    }
    const enrollment = differs ? await store.enrollments.byId(bound.id) : bound;
    if (enrollment === null) return { binding, verdict: waiting('ConnectionTypeNotFound', 'Its connection type is being deleted.') };
    if (type.spec.authMethod === 'OAUTH') return { binding, verdict: sharingVerdict(manifest, binding) };
    const kept = await keeper.keep({ ...situation, binding }, manifest, type, enrollment, changed);
    return { binding, ...kept, ...(kept.verdict === SYNCED && { verdict: sharingVerdict(manifest, binding) }) };
  }
}

/** The type that the manifest names, where its row is for that one. */
function namedBy(manifest: EnrollmentManifest, { namespace, rows: { type } }: SituationThere): ConnectionType | null {
  return type !== null && !type.deletedAt && type.teamId === namespace.teamId && type.name === manifest.connectionTypeRef.name ? type : null;
}

function poll(keeper: CredentialKeeper, binding: MirrorObject, manifest: EnrollmentManifest): { requeueAfterMs?: number } {
  const due = keeper.dueMs(binding, manifest);
  return due === null ? {} : { requeueAfterMs: Math.max(1000, due) };
}

function sharingVerdict(manifest: EnrollmentManifest, binding: MirrorObject): Verdict {
  if (!manifest.shared || binding.shareAgreed) return SYNCED;
  return { ...SYNCED, reason: 'SharingAwaitsOwner', message: 'The manifest asks for this enrollment to be shared with the team: its owner says yes with shareEnrollment.' };
}

function labelTaken(manifest: EnrollmentManifest): Verdict {
  return refused('NameConflict', `${JSON.stringify(manifest.owner)} has an enrollment for ${JSON.stringify(manifest.connectionTypeRef.name)} with the label ${JSON.stringify(manifest.label)} already: give another spec.label.`);
}
