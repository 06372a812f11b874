import { describe, expect, it } from '@jest/globals';
import type { CustomResource } from '#operator/manifest/resources.js';
import { durationMs, durationText } from '#operator/manifest/duration.js';
import { sameStatus } from '#operator/mirror/conditions.js';
import { tooMany } from '#operator/mirror/burial.js';
import { decide, type StepFacts } from '#operator/mirror/mirror-object-reconciler.js';
import { targetOf } from '#operator/mirror/namespace-binder.js';

const object = (spec: object = {}, metadata: object = {}): CustomResource => ({
  apiVersion: 'fairlead.dev/v1alpha1', kind: 'ConnectionType', metadata: { name: 'a', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1, ...metadata }, spec: { origin: 'MANIFEST', ...spec },
});
const facts = (binding: Partial<StepFacts['binding']>, rest: Partial<StepFacts> = {}): StepFacts => ({
  binding: { origin: 'MANIFEST', state: 'ACTIVE', subjectId: 's', objectUid: 'u', ...binding }, object: object(), collection: 'COMPLETE', bound: true, ...rest,
});
const DELETING = { deletionTimestamp: '2026-11-23T00:00:00Z' };
const PAUSED = { annotations: { 'fairlead.dev/paused': 'true' } };

describe('what is done about an object', () => {
  it.each<[string, StepFacts, ReturnType<typeof decide>]>([
    ['a manifest in a bound namespace is imported', facts({}), 'IMPORT'],
    ['one in a namespace that is nobody\'s is told so', facts({}, { bound: false }), 'UNBOUND'],
    ['one that is being deleted ends', facts({}, { object: object({}, DELETING) }), 'END'],
    ['also in a frozen namespace, so that the finalizer blocks nobody', facts({}, { object: object({}, DELETING), bound: false }), 'END'],
    ['one that is missing from a complete list ends', facts({}, { object: null }), 'END'],
    ['one that isn\'t seen before the list is complete is waited for', facts({}, { object: null, collection: 'UNKNOWN' }), 'WAIT'],
    ['without its CRD it is without an owner, not deleted', facts({}, { object: null, collection: 'MISSING' }), 'ORPHAN'],
    ['in a frozen namespace nothing is deleted', facts({}, { object: null, bound: false }), 'NOTHING'],
    ['a paused one is left alone', facts({}, { object: object({}, PAUSED) }), 'NOTHING'],
    ['but not when it is being deleted: nothing is kept by a pause', facts({}, { object: object({}, { ...DELETING, ...PAUSED }) }), 'END'],
    ['a paused mirror is left alone', facts({ origin: 'API' }, { object: object({ origin: 'API' }, { ...DELETING, ...PAUSED }) }), 'NOTHING'],
    ['one that says API and has no binding is unknown', facts({ subjectId: null }, { object: object({ origin: 'API' }) }), 'UNKNOWN_MIRROR'],
    ['and ends when it is being deleted, whatever finalizer it was given', facts({ subjectId: null }, { object: object({ origin: 'API' }, DELETING) }), 'END'],
    ['a tombstone stays one', facts({ state: 'TOMBSTONE' }, { object: null }), 'NOTHING'],
    ['a tombstone whose manifest is there again is imported', facts({ state: 'TOMBSTONE' }), 'IMPORT'],
    ['a row of origin API is mirrored', facts({ origin: 'API' }, { object: null }), 'EXPORT'],
    ['its mirror is kept as it should be', facts({ origin: 'API' }, { object: object({ origin: 'API' }) }), 'EXPORT'],
    ['a manifest in its place is a conflict', facts({ origin: 'API' }), 'CONFLICT'],
    ['unless the row is offered', facts({ origin: 'API', state: 'OFFERED' }), 'IMPORT'],
    ['or gone', facts({ origin: 'API', subjectId: null }), 'IMPORT'],
    ['in a frozen namespace nothing is mirrored', facts({ origin: 'API' }, { object: null, bound: false }), 'NOTHING'],
  ])('%s', (_sentence, given, step) => {
    expect(decide(given)).toBe(step);
  });
});

describe('the breaker', () => {
  it.each([[5, 5, false], [6, 6, true], [100, 10, false], [100, 11, true], [8, 5, false], [8, 6, true]])('of %i bindings, %i deletions at once: %s', (bindings, deleted, many) => {
    expect(tooMany({ bindings, deleted })).toBe(many);
  });
});

describe('a namespace', () => {
  const row = { state: 'BOUND' as const, clusterUid: 'c', namespaceUid: 'n', message: '' };
  const seen = (label: string | undefined, uid = 'n') => ({ metadata: { name: 'ns', uid, resourceVersion: '1', ...(label !== undefined && { labels: { 'fairlead.dev/team': label } }) } });
  it.each([
    ['as it was stays bound', row, seen('team'), 'c', 'BOUND'],
    ['without its label is frozen', row, seen(undefined), 'c', 'FROZEN'],
    ['with another label is frozen', row, seen('other'), 'c', 'FROZEN'],
    ['of another uid is frozen', row, seen('team', 'm'), 'c', 'FROZEN'],
    ['of another cluster is frozen', row, seen('team'), 'd', 'FROZEN'],
    ['that is gone is frozen', row, null, 'c', 'FROZEN'],
    ['that was claimed is bound by its label', { ...row, state: 'WAITING' as const, clusterUid: null, namespaceUid: null }, seen('team'), 'c', 'BOUND'],
    ['that was claimed and says otherwise waits', { ...row, state: 'WAITING' as const, clusterUid: null, namespaceUid: null }, seen('other'), 'c', 'WAITING'],
  ])('%s', (_sentence, binding, namespace, cluster, state) => {
    expect(targetOf(binding, namespace, 'team', cluster).state).toBe(state);
  });
});

describe('small things', () => {
  it('spans are read and written', () => {
    expect(['60s', '1500ms', '5m', '1h', '0s', 'soon', '1.5s'].map(durationMs)).toEqual([60_000, 1500, 300_000, 3_600_000, null, null, null]);
    expect([60_000, 1500].map(durationText)).toEqual(['60s', '1500ms']);
  });

  it('times alone don\'t change what a status means', () => {
    const status = (lastTransitionTime: string, syncedAt: string, reason = 'Ready') => ({ conditions: [{ type: 'Ready', status: 'True', reason, message: '', lastTransitionTime }], tools: { count: 1, syncedAt } });
    expect(sameStatus(status('a', 'b'), status('c', 'd'))).toBe(true);
    expect(sameStatus(status('a', 'b'), status('a', 'b', 'Other'))).toBe(false);
    expect(sameStatus({ observedGeneration: -1 }, { observedGeneration: 1 })).toBe(false);
  });
});
