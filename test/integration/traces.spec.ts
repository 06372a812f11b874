import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startTestOperator } from '#test/support/operator.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '#test/support/otlp-receiver.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';

/** Traces as a collector gets them: from a mutation, or a run of the operator, to the HTTP requests that it took. */

let collector: OtlpReceiver;
let server: MinimalServer;
let spans: ReceivedSpan[];
let refused: { verdict: string };
const quiet: (string | undefined)[] = [];

const SECRET = 'canary-credential-4711';
const named = (name: string, scope: string) => spans.filter((span) => span.name === name && span.scope === scope);
const beneath = ({ spanId, traceId }: ReceivedSpan) => spans.filter((span) => span.parentSpanId === spanId && span.traceId === traceId);

async function journey(api: TestApi): Promise<void> {
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Traced', serverUrl: server.url, authMethod: 'ACCESS_TOKEN' } });
  await api.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: SECRET } });
  await api.must('CallTool', { input: { connectionTypeId: connectionType.id, tool: 'echo', arguments: { nonce: 'canary-argument' } } });
  await api.gql('CallTool', { input: { connectionTypeId: connectionType.id, tool: 'no-such-tool', arguments: {} } });
}

beforeAll(async () => {
  [collector, server] = await Promise.all([startOtlpReceiver(), startMinimal({ credential: { header: 'authorization', value: `Bearer ${SECRET}` } })]);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-key=canary%20key', OTEL_SERVICE_NAME: 'connections' };
  const api = await startTestApi({ env });
  const operator = await startTestOperator({ ...api, env });
  const store = await openStore(api.databaseUrl);
  await journey(api);
  refused = await api.must('Probe', { input: { team: 'default', serverUrl: `${collector.url}/mcp` } });
  await until(async () => ((await store.dataSource.query('select 1 from reconcile_schedule where worker is not null or due <= clock_timestamp()')) as unknown[]).length === 0);
  await store.close();
  quiet.push(...server.seen.map(({ headers }) => headers['traceparent'] as string | undefined));
  await operator.stop();
  await api.stop();
  const telling = await startTestApi({ env: { ...env, FAIRLEAD_TRACE_PROPAGATION: 'on' } });
  server.seen.length = 0;
  await journey(telling);
  await telling.stop();
  spans = collector.spans();
});
afterAll(async () => {
  await collector?.close();
  await server?.close();
});

describe('a trace', () => {
  it('leads from the mutation callTool to the request that it took', () => {
    const [call] = named('mutation callTool', 'fairlead.api').filter(({ failed }) => !failed);
    expect(call).toMatchObject({ service: 'connections', parentSpanId: null, attributes: { 'gen_ai.tool.name': 'echo', 'fairlead.tool_call.status': 'SUCCEEDED', 'fairlead.tool_call.id': expect.any(String), 'fairlead.request_id': expect.any(String) } });
    const requests = beneath(call!);
    expect(requests.length).toBeGreaterThan(0);
    for (const request of requests) {
      expect(request).toMatchObject({ name: 'POST', kind: 3, attributes: { 'http.request.method': 'POST', 'server.address': '127.0.0.1', 'server.port': server.port, 'url.scheme': 'http', 'http.response.status_code': expect.any(Number) } });
    }
  });

  it('leads from a run of the operator to the requests that it took', () => {
    const runs = named('reconcile ConnectionType', 'fairlead.operator');
    expect(runs.length).toBeGreaterThan(0);
    expect(runs[0]).toMatchObject({ attributes: { 'fairlead.kind': 'ConnectionType', 'fairlead.id': expect.any(String), 'fairlead.epoch': expect.any(Number), 'fairlead.requeue_after_ms': expect.any(Number) } });
    expect(beneath(runs[0]!).map(({ name }) => name)).toContain('POST');
    expect(named('reconcile Enrollment', 'fairlead.operator').length).toBeGreaterThan(0);
  });

  it('says by its code why a mutation was refused, and which requests failed', () => {
    expect(named('mutation callTool', 'fairlead.api').filter(({ failed }) => failed)[0]).toMatchObject({ attributes: { 'error.type': 'TOOL_UNKNOWN' } });
    expect(spans.filter(({ name, failed }) => name === 'POST' && failed)[0]).toMatchObject({ attributes: { 'error.type': '401', 'http.response.status_code': 401 } });
    expect(named('mutation enroll', 'fairlead.api')[0]).toMatchObject({ failed: false });
  });

  it('holds no credential, no argument, no result and no path, and comes with the headers that the collector wants', () => {
    const text = JSON.stringify(collector.requests.map(({ body }) => body));
    expect(text).not.toMatch(/canary|\/mcp/);
    expect(collector.requests[0]).toMatchObject({ method: 'POST', path: '/v1/traces', headers: { 'x-key': 'canary key' } });
  });
});

describe('an MCP server', () => {
  it('is told no trace, unless an administrator wants that', () => {
    expect(quiet.filter((one) => one !== undefined)).toEqual([]);
    const told = server.seen.filter(({ body }) => (body as { method?: string } | null)?.method === 'tools/call').map(({ headers }) => String(headers['traceparent']));
    expect(told).toHaveLength(1);
    const [, traceId, spanId] = told[0]!.split('-');
    expect(spans.find((span) => span.spanId === spanId)).toMatchObject({ traceId, name: 'POST' });
  });

  it('can\'t be the collector', () => {
    expect(refused).toMatchObject({ verdict: 'REFUSED_BY_POLICY' });
  });
});
