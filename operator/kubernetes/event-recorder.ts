import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from '#core/log.js';
import type { KubeClient } from './kube-client.js';

/** What an event is about. */
export interface EventSubject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; uid: string };
}

/** What {@link EventRecorder} is built of. */
export interface EventRecorderOptions {
  client: Pick<KubeClient, 'send'>;
  logger: Logger;
  /** Milliseconds. */
  now: () => number;
}

interface Series {
  name: string;
  namespace: string;
  count: number;
  lastAt: number;
  toldAt: number;
}

const CONTROLLER = 'fairlead.dev/mirror';
/** The same of the same object within this time is one event, which is counted. */
const SERIES_MS = 10 * 60_000;
/** A series is written to the API server so often at the most. */
const TOLD_EVERY_MS = 30_000;
const MOST_SERIES = 4096;

/** Writes events (`events.k8s.io/v1`), deduplicated by object and reason. Telling is best effort: it never fails what is told of. */
export class EventRecorder {
  readonly #series = new Map<string, Series>();
  readonly #work = new Set<Promise<void>>();

  constructor(private readonly options: EventRecorderOptions) {}

  /** @param note for people; holds no secret, and is cut to 1,024 characters */
  record(subject: EventSubject, type: 'Normal' | 'Warning', reason: string, note: string): void {
    const key = `${subject.metadata.uid} ${reason}`;
    const at = this.options.now();
    const known = this.#series.get(key);
    this.#series.delete(key);
    const series: Series = known !== undefined && at - known.lastAt < SERIES_MS
      ? { ...known, count: known.count + 1, lastAt: at }
      : { name: `${subject.metadata.name.slice(0, 200)}.${randomBytes(8).toString('hex')}`, namespace: subject.metadata.namespace, count: 1, lastAt: at, toldAt: 0 };
    this.#series.set(key, series);
    if (this.#series.size > MOST_SERIES) this.#series.delete(this.#series.keys().next().value!);
    if (series.count > 1 && at - series.toldAt < TOLD_EVERY_MS) return;
    series.toldAt = at;
    const sent = (series.count === 1 ? this.#create(subject, series, type, reason, note) : this.#count(series))
      .catch((error: unknown) => this.options.logger.info({ err: error, reason }, 'an event could not be written'))
      .finally(() => this.#work.delete(sent));
    this.#work.add(sent);
  }

  /** Waits for what is on its way. */
  async stop(): Promise<void> {
    await Promise.all(this.#work);
  }

  async #create({ apiVersion, kind, metadata }: EventSubject, { name, namespace, lastAt }: Series, type: string, reason: string, note: string): Promise<void> {
    const body = {
      apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name, namespace }, eventTime: micro(lastAt), reportingController: CONTROLLER, reportingInstance: hostname().slice(0, 128),
      action: 'Reconcile', type, reason, note: note.slice(0, 1024), regarding: { apiVersion, kind, name: metadata.name, namespace, uid: metadata.uid },
    };
    await this.options.client.send({ method: 'POST', path: path(namespace), body });
  }

  async #count({ name, namespace, count, lastAt }: Series): Promise<void> {
    const body = { series: { count, lastObservedTime: micro(lastAt) } };
    await this.options.client.send({ method: 'PATCH', path: `${path(namespace)}/${name}`, body, contentType: 'application/merge-patch+json' });
  }
}

function path(namespace: string): string {
  return `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
}

/** `MicroTime`. */
function micro(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
