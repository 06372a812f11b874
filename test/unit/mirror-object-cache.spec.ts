import type { CustomResource } from '#operator/manifest/resources.js';
import { ObjectCache } from '#operator/mirror/object-cache.js';

const object = (resourceVersion: string, uid = 'u1'): CustomResource =>
  ({ apiVersion: 'fairlead.dev/v1alpha1', kind: 'ConnectionType', metadata: { name: 'stock', namespace: 'ns', uid, resourceVersion, generation: 1 }, spec: {} }) as CustomResource;

it('the same objects are known again when their collection was missing for a moment', () => {
  const cache = new ObjectCache(null);
  cache.listed('ConnectionType', null, [object('1')]);
  cache.missing('ConnectionType', null);
  expect([cache.get('ConnectionType', 'ns', 'stock'), cache.collection('ConnectionType', 'ns')]).toEqual([null, 'MISSING']);
  expect(cache.listed('ConnectionType', null, [object('1')]).changed).toHaveLength(1);
  expect(cache.changed(object('2'))).toBe(true);
  expect(cache.get('ConnectionType', 'ns', 'stock')?.metadata.resourceVersion).toBe('2');
});

it('an answer to a write that comes after the end of its object does not bring it back, and a list does', () => {
  const cache = new ObjectCache(null);
  cache.listed('ConnectionType', null, [object('1')]);
  cache.deleted(object('1'));
  expect(cache.changed(object('2'))).toBe(false);
  expect(cache.get('ConnectionType', 'ns', 'stock')).toBeNull();
  expect(cache.listed('ConnectionType', null, [object('3')]).changed).toHaveLength(1);
});
