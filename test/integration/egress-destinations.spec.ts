import { networkInterfaces } from 'node:os';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Address } from '#core/egress/address.js';
import { parseAllowRules } from '#core/egress/allow-rules.js';
import { Egress, type EgressRequest } from '#core/egress/egress.js';
import { REFUSED_BY_POLICY } from '#core/egress/errors.js';
import type { DeniedEndpoint } from '#core/egress/policy.js';
import { HostileServer } from '#test/support/hostile-server.js';
import { LOOPBACK_CERTIFICATE } from '#test/support/loopback-certificate.js';

const LIMITS = { method: 'GET', timeoutMs: 10_000, maxBytes: 100_000 } as const;
const REFUSED = { code: 'REFUSED', sent: 'NOTHING', publicMessage: REFUSED_BY_POLICY };
const at = (...addresses: string[]): Address[] => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

let server: HostileServer;
let egress: Egress;

function open(options: { allow?: string; allowLoopback?: boolean; denied?: DeniedEndpoint[]; names?: Record<string, () => Address[]> }): Egress {
  return new Egress({
    policy: { allow: parseAllowRules(options.allow ?? ''), allowLoopback: options.allowLoopback ?? false, denied: options.denied ?? [] },
    resolve: async (host) => {
      const answer = options.names?.[host];
      if (!answer) throw new Error(`ENOTFOUND ${host}`);
      return answer();
    },
  });
}

const get = (url: string, more: Partial<EgressRequest> = {}) => egress.request({ ...LIMITS, url, ...more });

beforeEach(async () => {
  server = await HostileServer.start();
});

afterEach(async () => {
  await egress.close();
  await server.close();
});

describe('a name', () => {
  it('is refused if it resolves to a private address, and nothing is dialled', async () => {
    egress = open({ names: { 'evil.example.com': () => at('127.0.0.1') } });
    await expect(get(`https://evil.example.com:${server.port}/`)).rejects.toMatchObject(REFUSED);
    expect(server.accepted).toBe(0);
  });

  it.each([
    ['10.0.0.1'], ['169.254.169.254'], ['::1'], ['::ffff:127.0.0.1'], ['fd00:ec2::254'], ['64:ff9b::7f00:1'], ['0.0.0.0'], ['not an address'], ['fe80::1%lo'],
  ])('is refused if it resolves to %s', async (address) => {
    egress = open({ names: { 'evil.example.com': () => at(address) } });
    await expect(get('https://evil.example.com/')).rejects.toMatchObject(REFUSED);
  });

  it('is refused if one of its addresses is, wherever it stands in the answer', async () => {
    const answers = [at('127.0.0.2', '10.0.0.1'), at('10.0.0.1', '127.0.0.2'), at(...Array<string>(50).fill('127.0.0.2'), '10.0.0.1')];
    for (const answer of answers) {
      egress = open({ allow: '127.0.0.2/32', names: { 'mixed.example.com': () => answer } });
      await expect(get(`http://mixed.example.com:${server.port}/`)).rejects.toMatchObject(REFUSED);
      await egress.close();
    }
  });

  it('that changes between two look-ups never leads to an address that was not checked', async () => {
    await using admitted = await HostileServer.start({ address: '127.0.0.2', port: server.port });
    let lookups = 0;
    egress = open({ allow: '127.0.0.2/32', names: { 'rebind.example.com': () => (lookups++ % 2 === 0 ? at('127.0.0.2') : at('127.0.0.1')) } });
    const url = `http://rebind.example.com:${server.port}/echo`;
    // The only look-up is the one whose answer is dialled: a first, "checked" answer that isn't used doesn't exist.
    expect((await get(url)).status).toBe(200);
    expect(lookups).toBe(1);
    admitted.dropConnections();
    await admitted.drained();
    // A connection that was dropped may be written to before that is heard; that looks nothing up.
    let next: unknown;
    do next = await get(url).catch((error: unknown) => error); while ((next as { code?: string }).code === 'RESET');
    expect(next).toMatchObject(REFUSED);
    expect((await get(url)).status).toBe(200);
    expect(admitted.requests).toHaveLength(2);
    expect(server.accepted).toBe(0);
  });

  it('may use plain HTTP only if all of its addresses are allowed', async () => {
    egress = open({ allow: '127.0.0.1/32', names: { 'in.example': () => at('127.0.0.1'), 'out.example': () => at('93.184.215.14') } });
    expect((await get(`http://in.example:${server.port}/echo`)).status).toBe(200);
    await expect(get(`http://out.example:${server.port}/echo`)).rejects.toMatchObject(REFUSED);
  });

  it('that a host rule names may be anywhere but at a metadata service', async () => {
    egress = open({ allow: 'mcp.example, meta.example', names: { 'mcp.example': () => at('127.0.0.1'), 'meta.example': () => at('169.254.169.254') } });
    expect((await get(`http://mcp.example:${server.port}/echo`)).status).toBe(200);
    await expect(get('http://meta.example/')).rejects.toMatchObject(REFUSED);
  });

  it('with several addresses is tried until one answers', async () => {
    egress = open({ allowLoopback: true, names: { 'multi.example': () => at('127.0.0.3', '127.0.0.1') } });
    expect((await get(`http://multi.example:${server.port}/echo`)).status).toBe(200);
  });

  it('without addresses is a DNS failure, and nothing was sent', async () => {
    egress = open({ names: { 'empty.example.com': () => [] } });
    for (const url of ['https://missing.example.com/', 'https://empty.example.com/']) {
      await expect(get(url)).rejects.toMatchObject({ code: 'DNS', sent: 'NOTHING' });
    }
  });

  it('under .localhost is this machine, whatever DNS says', async () => {
    egress = open({ allowLoopback: true, names: { 'app.localhost': () => at('10.0.0.1'), localhost: () => at('10.0.0.1') } });
    for (const host of ['app.localhost', 'localhost', 'LOCALHOST.']) expect((await get(`http://${host}:${server.port}/echo`)).status).toBe(200);
  });

  it('reaches the server under its own name, on the wire too', async () => {
    egress = open({ allowLoopback: true, names: { 'mcp.example': () => at('127.0.0.1') } });
    await get(`http://mcp.example.:${server.port}/echo`);
    expect(server.requests[0]!.headers.host).toBe(`mcp.example:${server.port}`);
    await expect(get(server.url(), { headers: { Host: 'other' } })).rejects.toMatchObject({ code: 'REFUSED', sent: 'NOTHING' });
  });
});

describe('our own ports', () => {
  const external = Object.values(networkInterfaces()).flat().find((entry) => entry && !entry.internal && entry.family === 'IPv4')?.address;

  it('are refused under every name and spelling that leads there, loopback allowance or not', async () => {
    egress = open({
      allow: 'ours.example, 0.0.0.0/0, ::/0', allowLoopback: true, denied: [{ host: '127.0.0.1', port: server.port }],
      names: { 'ours.example': () => at('127.0.0.1'), 'also.example': () => at('93.184.215.14', '127.0.0.1'), 'any.example': () => at('0.0.0.0'), 'six.example': () => at('::1') },
    });
    const hosts = ['127.0.0.1', '127.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', 'localhost', 'a.localhost', '0.0.0.0', '[::]', 'ours.example', 'also.example', 'any.example', 'six.example'];
    for (const host of [...hosts, ...(external ? [external] : [])]) await expect(get(`http://${host}:${server.port}/`)).rejects.toMatchObject(REFUSED);
    expect(server.accepted).toBe(0);
  });

  it('given by name are refused at their address too', async () => {
    egress = open({
      allowLoopback: true, denied: [{ host: 'postgres.example', port: server.port }],
      names: { 'postgres.example': () => at('127.0.0.1'), 'alias.example': () => at('127.0.0.1') },
    });
    for (const host of ['postgres.example', 'alias.example', '127.0.0.1', 'localhost']) await expect(get(`http://${host}:${server.port}/`)).rejects.toMatchObject(REFUSED);
    expect(server.accepted).toBe(0);
  });

  it('can be forbidden later, and open connections to them end', async () => {
    egress = open({ allowLoopback: true, names: { 'alias.example': () => at('127.0.0.1') } });
    const alias = `http://alias.example:${server.port}/echo`;
    expect((await get(alias)).status).toBe(200);
    egress.forbid(server.port);
    await server.drained();
    for (const url of [alias, server.url()]) await expect(get(url)).rejects.toMatchObject(REFUSED);
    expect(() => egress.check(server.url())).toThrow(expect.objectContaining({ code: 'REFUSED' }));
  });

  it('leave other ports of this machine alone', async () => {
    egress = open({ allowLoopback: true, denied: [{ host: '127.0.0.1', port: server.port + 1 }] });
    expect((await get(server.url())).status).toBe(200);
  });
});

describe('redirects', () => {
  beforeEach(() => {
    egress = open({ allow: '127.0.0.1/32, 127.0.0.2/32', names: { 'evil.example.com': () => at('10.0.0.1'), 'example.com': () => at('93.184.215.14') } });
  });
  const redirecting = (to: string, status = 302): string => server.url(`/redirect?status=${status}&to=${encodeURIComponent(to)}`);

  it('are refused unless asked for, and the request may have been acted on', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      await expect(get(redirecting('/echo', status))).rejects.toMatchObject({ code: 'REDIRECT', sent: 'MAYBE' });
    }
    expect(server.requests).toHaveLength(5);
  });

  it.each([
    'http://10.0.0.1/', 'https://169.254.169.254/', 'http://[::1]/', 'http://example.com/', 'https://localhost/', 'file:///etc/passwd', 'http://0x0a000001/', 'https://evil.example.com/', 'http://u:p@127.0.0.1/',
  ])('to %s are refused like the URL itself', async (to) => {
    await expect(get(redirecting(to), { redirect: 'follow' })).rejects.toMatchObject({ code: 'REFUSED', sent: 'MAYBE' });
    expect(server.requests).toHaveLength(1);
  });

  it('within an origin keep credentials, and the fragment stays home', async () => {
    const answer = await get(redirecting('/echo?a=b#fragment'), { redirect: 'follow', headers: { authorization: 'Bearer canary', 'X-Api-Key': 'canary' }, credentialHeaders: ['x-api-key'] });
    expect(JSON.parse(await answer.text())).toMatchObject({ url: '/echo?a=b', headers: { authorization: 'Bearer canary', 'x-api-key': 'canary' } });
    expect(answer.url.href).toBe(server.url('/echo?a=b'));
  });

  it('to another origin never carry a credential, and neither does the way back', async () => {
    await using other = await HostileServer.start({ address: '127.0.0.2' });
    const back = other.url(`/redirect?to=${encodeURIComponent(server.url('/echo'))}`);
    const answer = await get(redirecting(back), {
      redirect: 'follow',
      headers: { Authorization: 'Bearer canary', Cookie: 'canary', 'Proxy-Authorization': 'canary', 'X-Api-Key': 'canary', accept: 'text/plain' },
      credentialHeaders: ['x-api-key'],
    });
    expect(await answer.text()).not.toContain('canary');
    expect(JSON.stringify(other.requests)).not.toContain('canary');
    expect(other.requests[0]!.headers.accept).toBe('text/plain');
  });

  it('count another port and another scheme as another origin', async () => {
    await using other = await HostileServer.start();
    const answer = await get(redirecting(other.url()), { redirect: 'follow', headers: { authorization: 'canary' } });
    expect(await answer.text()).not.toContain('canary');
  });

  it('end after five', async () => {
    await expect(get(server.url('/redirect-loop'), { redirect: 'follow' })).rejects.toMatchObject({ code: 'REDIRECT' });
    expect(server.requests).toHaveLength(6);
  });

  it('of anything but GET are not followed', async () => {
    await expect(get(redirecting('/echo', 307), { method: 'POST', body: 'x', redirect: 'follow' })).rejects.toMatchObject({ code: 'REDIRECT' });
    expect(server.requests).toHaveLength(1);
  });

  it('without a target are a REDIRECT', async () => {
    await expect(get(server.url('/redirect-nowhere'), { redirect: 'follow' })).rejects.toMatchObject({ code: 'REDIRECT', sent: 'MAYBE' });
    expect((await get(server.url('/redirect-nowhere'), { redirect: 'manual' })).status).toBe(302);
  });

  it('do not take 300 and 304 for redirects', async () => {
    for (const status of [300, 304]) expect((await get(server.url(`/status?status=${status}`))).status).toBe(status);
  });
});

describe('TLS', () => {
  it('is refused by a certificate that nobody trusts, before anything is sent', async () => {
    await using secure = await HostileServer.start({ tls: true });
    egress = open({ allowLoopback: true });
    await expect(get(secure.url())).rejects.toMatchObject({ code: 'TLS', sent: 'NOTHING' });
    expect(secure.requests).toHaveLength(0);
  });

  it('is refused by a server that does not speak it', async () => {
    egress = open({ allowLoopback: true });
    await expect(get(server.url().replace('http:', 'https:'))).rejects.toMatchObject({ code: 'TLS', sent: 'NOTHING' });
  });

  describe('with a certificate that the system trusts', () => {
    const before = getCACertificates('default');
    beforeAll(() => setDefaultCACertificates([...before, LOOPBACK_CERTIFICATE.cert]));
    afterAll(() => setDefaultCACertificates(before));

    it('checks the name that was asked for, not the address that was dialled', async () => {
      await using secure = await HostileServer.start({ tls: true });
      egress = open({ allowLoopback: true, names: { 'secure.example': () => at('127.0.0.1'), 'other.example': () => at('127.0.0.1') } });
      expect((await get(`https://secure.example:${secure.port}/echo`)).status).toBe(200);
      expect((await get(`https://secure.example.:${secure.port}/echo`)).status).toBe(200);
      expect((await get(secure.url())).status).toBe(200);
      await expect(get(`https://other.example:${secure.port}/echo`)).rejects.toMatchObject({ code: 'TLS', sent: 'NOTHING' });
      expect(secure.requests).toHaveLength(3);
    });
  });
});
