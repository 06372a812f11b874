import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { createLogger } from '#core/log.js';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { EventRecorder } from '#operator/kubernetes/event-recorder.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { KubeFault } from '#operator/kubernetes/kube-fault.js';
import { LeaderElection } from '#operator/kubernetes/leader-election.js';
import { Reflector, type KubeObject, type ReflectorOptions } from '#operator/kubernetes/reflector.js';
import { FaultyDoor, type Fault } from '#test/support/control-plane/faulty-door.js';
import { Cluster } from '#operator/mirror/cluster.js';
import { ObjectCache } from '#operator/mirror/object-cache.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS, startPlane, type TestPlane } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { QUICK_LEASE } from '#test/support/mirror/world.js';

const CANARY = 'canary-that-no-log-may-hold';
const HOUR = 3_600_000;

describeNeeding('plane', 'the operator\'s way to the API server', () => {
  let plane: TestPlane;
  let access: ClusterAccess;
  let direct: KubeClient;
  let door: FaultyDoor;
  let client: KubeClient;
  let count = 0;
  /** A namespace's ConfigMaps: what is followed here. */
  let path: string;
  const lines: string[] = [];
  const logger = createLogger('trace', { write: (line: string) => void lines.push(line) });

  beforeAll(async () => {
    plane = await startPlane();
    access = await ClusterAccess.load({ file: plane.kubeconfig('admin') });
    direct = new KubeClient({ access, userAgent: 'test' });
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    await access?.close();
    await plane?.stop();
  });
  beforeEach(async () => {
    const namespace = `runtime-${++count}`;
    await direct.send({ method: 'POST', path: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } });
    path = `/api/v1/namespaces/${namespace}/configmaps`;
    door = await FaultyDoor.open(plane.kubeconfig('operator'));
    client = new KubeClient({ access: door, userAgent: 'test', timeoutMs: 30_000 });
  });
  afterEach(async () => {
    await reflector?.stop();
    reflector = null;
    await door.close();
  });

  let reflector: Reflector<KubeObject> | null = null;
  /** Everything that was told, in order. */
  let told: string[] = [];
  const named = (what: string) => ({ metadata: { name } }: KubeObject) => void told.push(`${what} ${name}`);
  function follow(options: Partial<ReflectorOptions<KubeObject>> = {}): void {
    told = [];
    reflector = new Reflector<KubeObject>({
      client, path, logger, random: () => 0, backOffMs: { first: 20, longest: 100 }, ...options,
      handlers: {
        listed: (items) => void told.push(`listed ${items.map(({ metadata: { name } }) => name).sort().join(' ')}`), changed: named('changed'), deleted: named('deleted'),
        resourceMissing: () => void told.push('missing'),
      },
    });
    reflector.start();
  }
  const heard = (line: string) => until(() => told.includes(line));
  const put = (name: string) => direct.send({ method: 'POST', path, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } });
  const remove = (name: string) => direct.send({ method: 'DELETE', path: `${path}/${name}` });
  const watching = () => until(() => door.watches(path).length > 0);
  /** The first so many requests that match fail. */
  const failing = (times: number, fault: Fault, match: (knock: { watch: boolean; query: URLSearchParams }) => boolean): void => {
    let left = times;
    door.fault = (knock) => (knock.path === path && match(knock) && left-- > 0 ? fault : null);
  };

  describe('a reflector', () => {
    it('reads a collection in pages, and tells it whole', async () => {
      for (let index = 0; index < 10; index += 1) await put(`c-${index}`);
      follow({ pageSize: 3 });
      await heard('listed c-0 c-1 c-2 c-3 c-4 c-5 c-6 c-7 c-8 c-9');
      expect(door.lists(path).map(({ query }) => [query.get('limit'), query.has('continue')])).toEqual([['3', false], ['3', true], ['3', true], ['3', true]]);
    });

    it('begins a list anew when its next page is too old, and never tells half of one', async () => {
      for (let index = 0; index < 5; index += 1) await put(`c-${index}`);
      failing(1, { status: 410, body: '{"reason":"Expired"}' }, ({ query }) => query.has('continue'));
      follow({ pageSize: 3 });
      await heard('listed c-0 c-1 c-2 c-3 c-4');
      expect(told.filter((line) => line.startsWith('listed'))).toHaveLength(1);
      expect(door.lists(path)).toHaveLength(4);
    });

    it('comes back when Retry-After says so, however long it would wait by itself', async () => {
      await put('there');
      failing(2, { status: 429, headers: { 'retry-after': '1' } }, ({ watch }) => !watch);
      follow({ backOffMs: { first: HOUR, longest: HOUR } });
      await heard('listed there');
      expect(door.lists(path)).toHaveLength(3);
    });

    it('and so with a watch, which goes on where it was', async () => {
      failing(1, { status: 429, headers: { 'retry-after': '0' } }, ({ watch }) => watch);
      follow({ backOffMs: { first: HOUR, longest: HOUR } });
      await until(() => door.watches(path).length >= 2);
      await put('later');
      await heard('changed later');
      expect(door.lists(path)).toHaveLength(1);
    });

    it.each<[string, Fault]>([['reset', 'RESET'], ['answered 500', { status: 500, body: '{"reason":"InternalError"}' }], ['answered 403', { status: 403, body: '{"reason":"Forbidden"}' }], ['answered with nonsense', { status: 200, body: 'no json' }]])('goes on when its lists are %s', async (_what, fault) => {
      await put('there');
      failing(4, fault, ({ watch }) => !watch);
      follow();
      await heard('listed there');
    });

    it('misses nothing when its connections are cut in the middle of a watch, and doesn\'t list again', async () => {
      await put('first');
      follow();
      await watching();
      for (const name of ['second', 'third', 'fourth']) {
        await put(name);
        await heard(`changed ${name}`);
        door.cut();
        await remove(name);
        await heard(`deleted ${name}`);
      }
      expect(told).toEqual(['listed first', 'changed second', 'deleted second', 'changed third', 'deleted third', 'changed fourth', 'deleted fourth']);
      expect(door.lists(path)).toHaveLength(1);
    });

    it('opens a watch anew that is silent for too long', async () => {
      failing(1, 'SILENT', ({ watch }) => watch);
      follow({ silentMs: 1000 });
      await watching();
      await put('meanwhile');
      await heard('changed meanwhile');
      expect(door.watches(path).length).toBeGreaterThan(1);
      expect(door.lists(path)).toHaveLength(1);
    });

    it('lists again when the watch says that history is gone, and goes on after any other error in it', async () => {
      await put('there');
      failing(1, { status: 200, body: '{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n' }, ({ watch }) => watch);
      follow();
      await until(() => told.filter((line) => line === 'listed there').length === 2);
      await reflector!.stop();
      failing(2, { status: 200, body: '{"type":"ERROR","object":{"code":500,"reason":"InternalError"}}\n{"type":' }, ({ watch }) => watch);
      follow();
      await until(() => door.watches(path).length >= 3);
      await put('after');
      await heard('changed after');
    });

    it('asks for a complete list now and then, also when nothing fails', async () => {
      await put('there');
      follow({ resyncMs: 500 });
      await until(() => told.filter((line) => line === 'listed there').length >= 3);
      expect(told.filter((line) => line !== 'listed there')).toEqual([]);
    });

    it('says that there is no such resource once it is sure, and that it is back', async () => {
      await put('there');
      let there = true;
      door.fault = (knock) => (knock.path === path && !there ? { status: 404, body: '{"reason":"NotFound"}' } : null);
      follow();
      await watching();
      const before = door.knocks.length;
      there = false;
      door.cut();
      await heard('missing');
      expect(door.knocks.slice(before).length).toBeGreaterThanOrEqual(3);
      there = true;
      await until(() => told.at(-1) === 'listed there');
    });
  });

  describe('a failure', () => {
    const fails = (sent: Promise<unknown>) => sent.then(() => { throw new Error('it worked'); }, (error: unknown) => error as KubeFault);

    it.each<[Fault, string, boolean]>([
      [{ status: 400 }, 'INVALID', false], [{ status: 401 }, 'FORBIDDEN', false], [{ status: 403 }, 'FORBIDDEN', false], [{ status: 404 }, 'NOT_FOUND', false],
      [{ status: 409, body: '{"reason":"AlreadyExists"}' }, 'ALREADY_EXISTS', false], [{ status: 409, body: '{"reason":"Conflict"}' }, 'CONFLICT', true], [{ status: 410 }, 'GONE', false],
      [{ status: 422 }, 'INVALID', false], [{ status: 429, headers: { 'retry-after': '7' } }, 'BUSY', true], [{ status: 503 }, 'BUSY', true], [{ status: 418 }, 'OTHER', false], ['RESET', 'UNREACHABLE', true],
    ])('%j is %s', async (fault, code, retryable) => {
      door.fault = () => fault;
      const error = await fails(client.send({ method: 'GET', path }));
      expect(error).toMatchObject({ name: 'KubeFault', code, retryable, retryAfterMs: typeof fault === 'object' && fault.headers !== undefined ? 7000 : null });
    });

    it('for want of a right says nothing of what was asked for; a refusal by admission does', async () => {
      const cluster = new Cluster(client, new ObjectCache(null));
      const goes = () => cluster.vanishing('ConnectionType', 'default');
      const refusal = (message: string): Fault => ({ status: 403, body: JSON.stringify({ reason: 'Forbidden', message }) });
      door.fault = () => refusal('connectiontypes.fairlead.dev is forbidden: User "operator" cannot create resource "connectiontypes" in API group "fairlead.dev" in the namespace "default"');
      expect(await fails(goes())).toMatchObject({ code: 'FORBIDDEN', withoutRight: true });
      door.fault = () => ({ status: 401, body: '{"reason":"Unauthorized"}' });
      expect(await fails(goes())).toMatchObject({ code: 'FORBIDDEN', withoutRight: true });
      door.fault = () => refusal('connectiontypes.fairlead.dev "x" is forbidden: unable to create new content in namespace default because it is being terminated');
      expect(await goes()).toBe(false);
      door.fault = () => refusal('create not allowed while custom resource definition is terminating');
      expect(await goes()).toBe(true);
    });

    it('never shows a body: not of an answer, not of a request, not in what is logged', async () => {
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'refused', namespace: 'default' }, data: { [CANARY]: `${CANARY}: no base64` } };
      const errors = [await fails(client.send({ method: 'POST', path: '/api/v1/namespaces/default/secrets', body: secret }))];
      for (const [status, body] of [[200, CANARY], [500, CANARY], [422, JSON.stringify({ reason: CANARY, message: CANARY })], [409, JSON.stringify({ reason: 'Conflict', message: CANARY })]] as const) {
        door.fault = () => ({ status, body });
        errors.push(await fails(client.send({ method: 'GET', path })));
      }
      const watch = async () => { for await (const line of client.lines({ method: 'GET', path, query: { watch: 'true' }, signal: AbortSignal.timeout(5000) })) void line; };
      errors.push(await fails(watch()));
      expect(errors.every((error) => error instanceof KubeFault)).toBe(true);
      for (const error of errors) logger.error({ err: error }, 'seen');
      expect(inspect(errors, { depth: 9 })).not.toContain('canary');
      // What a watch says and nobody can read is logged by the reflector.
      door.fault = (knock) => (knock.watch ? { status: 200, body: `${CANARY}\n` } : null);
      follow();
      await until(() => door.watches(path).length >= 2);
      expect(lines.filter((line) => line.includes('canary'))).toEqual([]);
    });
  });

  it('connections are kept: many requests one after the other take one or two, and a watch one of its own', async () => {
    const { server } = await door.next();
    const file = join(await mkdtemp(join(tmpdir(), 'kubeconfig-')), 'kubeconfig');
    const config = { apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }], users: [{ name: 'u', user: { token: 'token' } }], contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }], 'current-context': 'x' };
    await writeFile(file, JSON.stringify(config));
    const pooled = await ClusterAccess.load({ file });
    try {
      const by = new KubeClient({ access: pooled, userAgent: 'test' });
      for (let times = 0; times < 50; times += 1) await by.send({ method: 'GET', path });
      // The next request may be sent while the connection of the last one is still being given back.
      const kept = door.connections;
      expect(kept).toBeLessThanOrEqual(2);
      await put('there');
      for await (const line of by.lines({ method: 'GET', path, query: { watch: 'true' }, signal: AbortSignal.timeout(30_000) })) {
        expect(line).toContain('there');
        break;
      }
      expect([door.connections, door.knocks.length]).toEqual([kept + 1, 51]);
    } finally {
      await pooled.close();
      await rm(dirname(file), { recursive: true });
    }
  });

  describe('events', () => {
    interface SeenEvent { reason: string; note: string; regarding: { name: string; uid: string }; series?: { count: number } }
    const events = async (namespace: string) => (await direct.send<{ items: SeenEvent[] }>({ method: 'GET', path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events` })).items;

    it('are one for the same reason of the same object, which is counted; another one for another reason, another object, and after a while', async () => {
      let now = Date.parse('2026-11-28T12:00:00Z');
      const namespace = `runtime-${count}`;
      const subject = (name: string) => ({ apiVersion: 'fairlead.dev/v1alpha1', kind: 'ConnectionType', metadata: { name, namespace, uid: `uid-of-${name}` } });
      const recorder = new EventRecorder({ client, logger, now: () => now });
      const record = async (name: string, reason: string) => {
        recorder.record(subject(name), 'Warning', reason, 'A note.');
        await recorder.stop();
      };
      for (let times = 0; times < 20; times += 1) {
        await record('stock', 'DriftCorrected');
        now += 10_000;
      }
      await record('stock', 'DeletionsHeld');
      await record('other', 'DriftCorrected');
      const seen = (await events(namespace)).map(({ reason, regarding, series }) => `${regarding.name} ${reason} ${series?.count ?? 1}`).sort();
      expect(seen).toEqual(['other DriftCorrected 1', 'stock DeletionsHeld 1', 'stock DriftCorrected 19']);
      // The API server heard of the series every thirty seconds, not each time.
      expect(door.knocks.filter(({ method }) => method === 'PATCH')).toHaveLength(6);
      now += 11 * 60_000;
      await record('stock', 'DriftCorrected');
      expect(await events(namespace)).toHaveLength(4);
    });

    it('that can\'t be written fail nothing', async () => {
      door.fault = () => ({ status: 403, body: '{"reason":"Forbidden"}' });
      const recorder = new EventRecorder({ client, logger, now: () => 0 });
      recorder.record({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', uid: 'u' } }, 'Normal', 'Told', 'A note.');
      await recorder.stop();
      expect(lines.some((line) => line.includes('an event could not be written'))).toBe(true);
    });
  });

  describe('a leader', () => {
    it('that can\'t renew its Lease has stopped before anybody else begins, and doesn\'t come back while they lead', async () => {
      const order: string[] = [];
      const lead = (who: string) => async (signal: AbortSignal) => {
        order.push(`${who} begins`);
        await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }); });
        order.push(`${who} ends`);
      };
      const options = { namespace: 'default', name: `lease-${count}`, logger, random: () => 0, times: QUICK_LEASE };
      const first = new LeaderElection({ ...options, client, lead: lead('first') });
      const second = new LeaderElection({ ...options, client: direct, lead: lead('second') });
      try {
        first.start();
        await until(() => order.length === 1);
        second.start();
        door.fault = () => 'RESET';
        await until(() => order.length === 3);
        expect(order).toEqual(['first begins', 'first ends', 'second begins']);
        door.fault = () => null;
        await until(() => door.knocks.filter(({ path: asked }) => asked.endsWith(`leases/lease-${count}`)).length > 8);
        expect(order).toHaveLength(3);
        // Stopping lets it go: the other one need not wait for its end.
        await second.stop();
        await until(() => order.length === 5);
        expect(order.slice(3)).toEqual(['second ends', 'first begins']);
      } finally {
        await first.stop();
        await second.stop();
      }
      const { spec } = await direct.send<{ spec: { holderIdentity: string } }>({ method: 'GET', path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/lease-${count}` });
      expect(spec.holderIdentity).toBe('');
    });
  });
});
