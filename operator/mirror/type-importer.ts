import { z } from 'zod';
import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import { nodeId } from '#core/connection/node-id.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { canonicalJson } from '#core/json/canonical.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import { connectionTypeManifest, specOfManifest, type ConnectionTypeManifest } from '../manifest/connection-type.js';
import { ADOPT_ANNOTATION, type CustomResource } from '../manifest/resources.js';
import { refused, syncedFromNow, type Verdict } from './conditions.js';
import { manifestFault } from './manifest-fault.js';
import type { PreregisteredClients } from './preregistered-clients.js';
import { audited, fenced, type Outcome, type SituationThere } from './situation.js';

/** What {@link TypeImporter} is built of. */
export interface TypeImporterOptions {
  store: Store;
  upkeep: Pick<Upkeep, 'status'>;
  clients: PreregisteredClients;
  now: () => Date;
}

/** Brings a ConnectionType manifest into the catalog (origin MANIFEST: the custom resource owns the spec). */
export class TypeImporter {
  constructor(private readonly options: TypeImporterOptions) {}

  async import(situation: SituationThere): Promise<Outcome> {
    const parsed = parse(situation.object);
    if ('verdict' in parsed) return parsed;
    const placed = await this.#place(situation, parsed.spec);
    if ('verdict' in placed) return placed;
    const { type, binding } = placed;
    const changed = situation.binding.generation !== String(situation.object.metadata.generation);
    const client = await this.options.clients.keep({ ...situation, binding }, type, parsed.manifest.oauth ?? null, changed);
    // Keeping a client may have written to it.
    return { ...client, binding: parsed.spec.authMethod === 'OAUTH' ? (await this.options.store.mirrorObjects.byId(binding.id)) ?? binding : binding };
  }

  /** The row, as the manifest has it: made, taken over, brought back or changed; or why not. */
  async #place(situation: SituationThere, spec: ConnectionTypeSpec): Promise<{ type: ConnectionType; binding: MirrorObject } | { verdict: Verdict }> {
    const { store } = this.options;
    const { binding, object, namespace, claim, rows: { type: bound } } = situation;
    const { uid, name, generation } = object.metadata;
    const pairedAlready = bound !== null && !bound.deletedAt && binding.state === 'ACTIVE' && binding.origin === 'MANIFEST' && binding.objectUid === uid && binding.generation === String(generation) && binding.teamId === namespace.teamId;
    if (pairedAlready && canonicalJson(bound.spec) === canonicalJson(spec)) return { type: bound, binding };
    const other = bound === null ? await store.connectionTypes.evenHiddenByName(namespace.teamId, name) : null;
    if (other !== null) return { verdict: taken(other, object) };
    if (binding.origin === 'API' && !adopts(object, binding)) return { verdict: refused('NameConflict', offered(binding, name)) };
    const restores = binding.state === 'TOMBSTONE';
    return fenced(store, claim, namespace.teamId, async (repositories) => {
      if (restores) await repositories.mirrorObjects.serialise(namespace.teamId);
      const type = bound === null ? await repositories.connectionTypes.insert(namespace.teamId, name, spec, 'MANIFEST', syncedFromNow(1, this.options.now())) : await this.#changed(repositories, bound, spec);
      const values = {
        teamId: namespace.teamId, origin: 'MANIFEST', state: 'ACTIVE', subjectId: type.id, objectUid: uid, generation: String(generation), version: type.version, appliedHash: null,
        // Another address is another place for its client's secret: whoever named it has seen it.
        ...(bound !== null && !sameTarget(currentTarget(bound.spec), currentTarget(spec)) && { secretPlace: null }),
        tombstonedAt: null, graceUntil: null, conditions: [],
      } as const satisfies Partial<MirrorObject>;
      await repositories.mirrorObjects.update(binding.id, values);
      if (restores) await repositories.mirrorObjects.restored(namespace.teamId);
      await audited(repositories, situation, bound === null ? 'createFromManifest' : 'applyManifest', type.id);
      return { type, binding: { ...binding, ...values } };
    });
  }

  /** A row that is there already: visible, ours, and with this spec. */
  async #changed(repositories: Repositories, bound: ConnectionType, spec: ConnectionTypeSpec): Promise<ConnectionType> {
    if (bound.deletedAt) await repositories.connectionTypes.show(bound.id);
    if (bound.origin !== 'MANIFEST') await repositories.connectionTypes.setOrigin(bound.id, 'MANIFEST');
    if (canonicalJson(bound.spec) !== canonicalJson(spec)) {
      await repositories.connectionTypes.updateSpec(bound.id, bound.version, spec);
      const current = (await repositories.connectionTypes.byId(bound.id))!;
      if (sameTarget(currentTarget(bound.spec), currentTarget(spec))) await this.options.upkeep.status.restamp(repositories, current);
      else await this.options.upkeep.status.moved(repositories, current);
    }
    return (await repositories.connectionTypes.byId(bound.id))!;
  }
}

/** Whether a manifest asks for exactly the row that was offered. */
function adopts(object: CustomResource, binding: MirrorObject): boolean {
  return binding.state === 'OFFERED' && binding.subjectId !== null && object.metadata.annotations?.[ADOPT_ANNOTATION] === nodeId(binding.kind, binding.subjectId);
}

function offered({ state, subjectId, kind }: MirrorObject, name: string): string {
  if (state === 'OFFERED' && subjectId !== null) return `The team's ${JSON.stringify(name)} is offered: annotate this object ${ADOPT_ANNOTATION}: ${nodeId(kind, subjectId)} to take it over.`;
  return `The team has a connection type ${JSON.stringify(name)} that is changed through GraphQL: rename this object, or offer that one with offerOwnership and annotate this object with ${ADOPT_ANNOTATION}.`;
}

function taken(type: ConnectionType, object: CustomResource): Verdict {
  const { name } = object.metadata;
  if (type.deletedAt) return refused('NameConflict', `A connection type ${JSON.stringify(name)} is being deleted: wait for the end of its grace, or rename this object.`);
  return refused('NameConflict', `The team has a connection type ${JSON.stringify(name)} already: rename this object, or offer that one with offerOwnership(id: ${nodeId('ConnectionType', type.id)}) and annotate this object with ${ADOPT_ANNOTATION}.`);
}

function parse(object: CustomResource): { manifest: ConnectionTypeManifest; spec: ConnectionTypeSpec } | { verdict: Verdict } {
  try {
    const manifest = connectionTypeManifest.parse(object.spec);
    return { manifest, spec: specOfManifest(manifest) };
  } catch (error) {
    if (error instanceof z.ZodError) return { verdict: refused('InvalidSpec', manifestFault(error)) };
    throw error;
  }
}
