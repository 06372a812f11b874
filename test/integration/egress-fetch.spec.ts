import { Egress } from '#core/egress/egress.js';
import { EgressError } from '#core/egress/errors.js';
import { HostileServer } from '#test/support/hostile-server.js';

let server: HostileServer;
let egress: Egress;
let guarded: typeof fetch;

beforeEach(async () => {
  server = await HostileServer.start();
  egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  guarded = egress.fetchWith({ timeoutMs: 10_000, maxBytes: 1024 * 1024 });
});

afterEach(async () => {
  await egress.close();
  await server.drained();
  await server.close();
});

const redirecting = (to: string, status = 302): string => server.url(`/redirect?status=${status}&to=${encodeURIComponent(to)}`);

describe('the guarded fetch', () => {
  it.each([
    ['a string', 'a=b', undefined], ['form parameters', new URLSearchParams({ a: 'b' }), 'application/x-www-form-urlencoded;charset=UTF-8'], ['bytes', new TextEncoder().encode('a=b'), undefined],
  ])('sends %s', async (_what, body, type) => {
    const response = await guarded(new URL(server.url('/echo')), { method: 'POST', body, headers: [['x-one', '1']] });
    const seen = await response.json() as { body: string; headers: Record<string, string> };
    expect(seen).toMatchObject({ method: 'POST', body: 'a=b', headers: { 'x-one': '1', ...(type ? { 'content-type': type } : {}) } });
    expect(response.url).toBe(server.url('/echo'));
    expect(response.ok).toBe(true);
  });

  it('takes a Request', async () => {
    const response = await guarded(new Request(server.url('/echo'), { method: 'DELETE', headers: { 'x-one': '1' } }));
    expect(await response.json()).toMatchObject({ method: 'DELETE', headers: { 'x-one': '1' } });
  });

  it('is there with bounds of its own too', async () => {
    expect(await (await egress.fetch(server.url('/echo'))).json()).toMatchObject({ method: 'GET' });
  });

  it.each([204, 304])('answers %i without a body', async (status) => {
    const response = await guarded(server.url(`/status?status=${status}`));
    expect([response.status, response.body]).toEqual([status, null]);
  });

  it.each(['http://10.0.0.1/', 'https://169.254.169.254/', 'file:///etc/passwd', 'https://u:secret-word@example.com/', 'nonsense'])('refuses %s', async (url) => {
    const error = await guarded(url).catch((reason: unknown) => reason as EgressError) as EgressError;
    expect(error).toMatchObject({ code: 'REFUSED', sent: 'NOTHING' });
    expect(`${error.message} ${error.publicMessage}`).not.toContain('secret-word');
  });

  it('refuses methods that it does not know', async () => {
    await expect(guarded(server.url(), { method: 'PATCH' })).rejects.toBeInstanceOf(TypeError);
  });

  it('caps and times out the body', async () => {
    await expect((await guarded(server.url('/endless'))).text()).rejects.toMatchObject({ code: 'TOO_LARGE' });
    const hasty = egress.fetchWith({ timeoutMs: 1000, maxBytes: 1000 });
    await expect((await hasty(server.url('/trickle'))).text()).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(hasty(server.url('/silent'))).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('streams events, and cancelling closes the connection', async () => {
    const response = await guarded(server.url('/open-events'));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('data: one\n\n');
    await reader.cancel();
    await server.drained();
  });

  it('rejects with the reason of the caller\'s signal', async () => {
    const reason = new Error('enough');
    await expect(guarded(server.url('/silent'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const later = new AbortController();
    const waiting = guarded(server.url('/silent'), { signal: later.signal });
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    later.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('follows redirects of GET, hands them over if asked, refuses them if asked', async () => {
    const followed = await guarded(redirecting('/echo'));
    expect([followed.status, followed.url, followed.redirected]).toEqual([200, server.url('/echo'), true]);
    await followed.body!.cancel();
    const manual = await guarded(redirecting('/echo', 307), { method: 'POST', body: 'x', redirect: 'manual' });
    expect([manual.status, manual.headers.get('location'), await manual.text()]).toEqual([307, '/echo', 'moved']);
    await expect(guarded(redirecting('/echo'), { redirect: 'error' })).rejects.toMatchObject({ code: 'REDIRECT' });
    await expect(guarded(redirecting('/echo', 307), { method: 'POST', body: 'x' })).rejects.toMatchObject({ code: 'REDIRECT' });
    await expect(guarded(redirecting('http://10.0.0.1/'))).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('takes no header to another origin but the harmless ones', async () => {
    await using other = await HostileServer.start();
    const response = await guarded(redirecting(other.url()), { headers: { authorization: 'canary', 'x-api-key': 'canary', 'x-anything': 'canary', accept: 'text/plain' } });
    const text = await response.text();
    expect(text).not.toContain('canary');
    expect(text).toContain('text/plain');
  });
});
