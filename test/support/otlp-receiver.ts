import { listen, record, sendJson, type SeenRequest } from './mcp-servers/listener.js';

/** A span as it came over the wire, with what it is of. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  kind: number;
  failed: boolean;
  attributes: Record<string, unknown>;
  scope: string;
  service: string;
}

/** A collector of traces that keeps what it got. */
export interface OtlpReceiver {
  /** The endpoint to configure. */
  url: string;
  requests: SeenRequest[];
  spans(): ReceivedSpan[];
  close(): Promise<void>;
}

interface Value { stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean }
interface Attribute { key: string; value: Value }
interface Body {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { scope: { name: string }; spans: { traceId: string; spanId: string; parentSpanId?: string; name: string; kind: number; status?: { code?: number }; attributes: Attribute[] }[] }[] }[];
}

const facts = (attributes: Attribute[]) => Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue)]));

/** Starts one on 127.0.0.1: OTLP over HTTP, in JSON. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const requests: SeenRequest[] = [];
  const { url, close } = await listen((request, response) => void record(request, requests).then(() => sendJson(response, 200, {})), '', requests);
  const spans = () => requests.filter(({ path }) => path === '/v1/traces').flatMap(({ body }) => (body as Body).resourceSpans).flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans: some }) => some.map((span): ReceivedSpan => ({
      traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId ?? null, name: span.name, kind: span.kind, failed: span.status?.code === 2,
      attributes: facts(span.attributes), scope: scope.name, service: String(facts(resource.attributes)['service.name']),
    }))));
  return { url, requests, spans, close };
}
