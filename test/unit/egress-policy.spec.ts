import fc from 'fast-check';
import { AllowRulesInvalid, parseAllowRules } from '#core/egress/allow-rules.js';
import { EgressError, REFUSED_BY_POLICY } from '#core/egress/errors.js';
import { checkUrl, type DeniedEndpoint, type EgressPolicy } from '#core/egress/policy.js';

function policy(allow = '', options: { allowLoopback?: boolean; denied?: DeniedEndpoint[] } = {}): EgressPolicy {
  return { allow: parseAllowRules(allow), allowLoopback: options.allowLoopback ?? false, denied: options.denied ?? [] };
}

function refusal(url: string, by = policy()): EgressError | null {
  try {
    checkUrl(by, url);
    return null;
  } catch (error) {
    if (error instanceof EgressError) return error;
    throw error;
  }
}

describe('public HTTPS', () => {
  it.each([
    'https://mcp.example.com/mcp', 'https://example.com:8443/a?b=c', 'https://8.8.8.8/', 'https://[2606:4700:4700::1111]/mcp', 'https://EXAMPLE.com./mcp', 'https://bücher.example/',
  ])('%s passes', (url) => expect(refusal(url)).toBeNull());

  it('loses the trailing dot of its host, so that one server has one name', () => {
    expect(checkUrl(policy(), 'https://Example.com./mcp').url.href).toBe('https://example.com/mcp');
  });
});

/** Refused without any rule, each for its own reason, and all with the same words. */
const HOSTILE: Record<string, string[]> = {
  'plain HTTP': ['http://example.com/', 'http://8.8.8.8/'],
  'other schemes': ['ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com/', 'ws://example.com/', 'data:text/plain,x', 'javascript:alert(1)', 'blob:https://example.com/x'],
  'loopback': ['https://127.0.0.1/', 'https://127.1/', 'https://localhost/', 'https://LOCALHOST/', 'https://a.b.localhost/', 'https://[::1]/', 'https://[0:0:0:0:0:0:0:1]/'],
  'decimal IPv4': ['https://2130706433/', 'https://3232235777/', 'https://2852039166/'],
  'octal IPv4': ['https://0177.0.0.1/', 'https://017700000001/', 'https://0300.0250.0.1/'],
  'hexadecimal IPv4': ['https://0x7f.0.0.1/', 'https://0x7f000001/', 'https://0xA9.0xFE.0xA9.0xFE/', 'https://0x0a.1/'],
  'disguised digits': ['https://①②⑦.⓪.⓪.①/', 'https://127。0。0。1/', 'https://%31%32%37.0.0.1/', 'https://１２７.0.0.1/'],
  'IPv4 in IPv6': ['https://[::ffff:127.0.0.1]/', 'https://[::ffff:7f00:1]/', 'https://[::ffff:10.0.0.1]/', 'https://[::127.0.0.1]/', 'https://[::ffff:0:10.0.0.1]/'],
  'NAT64, 6to4 and Teredo': ['https://[64:ff9b::10.0.0.1]/', 'https://[64:ff9b::7f00:1]/', 'https://[2002:7f00:1::]/', 'https://[2002:a00:1::1]/', 'https://[2001:0:4136:e378:8000:63bf:f5ff:fffe]/'],
  'private ranges': ['https://10.0.0.1/', 'https://172.16.0.1/', 'https://192.168.1.1/', 'https://[fd00::1]/', 'https://100.64.0.1/'],
  'link-local': ['https://169.254.1.1/', 'https://[fe80::1]/', 'https://[fe80::1%25eth0]/'],
  'this host, multicast, broadcast, reserved': ['https://0.0.0.0/', 'https://0/', 'https://[::]/', 'https://224.0.0.1/', 'https://255.255.255.255/', 'https://240.0.0.1/', 'https://[ff02::1]/'],
  'metadata services': [
    'https://169.254.169.254/latest/meta-data/', 'http://169.254.169.254/', 'https://169.254.170.2/v2/credentials', 'https://[fd00:ec2::254]/', 'https://100.100.100.200/',
    'https://168.63.129.16/', 'https://metadata.google.internal/', 'https://metadata.google.internal./', 'https://metadata/', 'https://metadata.goog/',
  ],
  'trailing dots': ['https://localhost./', 'https://127.0.0.1./', 'https://0x7f.1./', 'https://foo.localhost./', 'https://localhost../'],
  'internal names': ['https://intranet/', 'https://postgres.default.svc/', 'https://db.default.svc.cluster.local/', 'https://nas.local/', 'https://router.lan/', 'https://x.internal/', 'https://x.home.arpa/'],
};

describe.each(Object.entries(HOSTILE))('%s', (_reason, urls) => {
  it.each(urls)('%s is refused', (url) => {
    const error = refusal(url)!;
    expect(error).toMatchObject({ code: 'REFUSED', sent: 'NOTHING' });
    expect([REFUSED_BY_POLICY, 'not a valid URL']).toContain(error.publicMessage);
  });

  it('is refused with a port, a path and a query as well', () => {
    for (const url of urls.filter((each) => each.startsWith('http') && !each.includes('%25'))) {
      const at = new URL(url);
      expect(refusal(`${at.protocol}//${at.hostname}:8443/a/../b?c=d`)).toMatchObject({ code: 'REFUSED' });
    }
  });
});

describe('the form of a URL', () => {
  it.each(['https://user@example.com/', 'https://user:secret-word@example.com/', 'https://:secret-word@example.com/', 'https://example.com%2f@127.0.0.1/'])('%s is refused for its userinfo', (url) => {
    const error = refusal(url)!;
    expect(error.publicMessage).toContain('never belongs into a URL');
    expect(`${error.message} ${error.publicMessage} ${String(error.stack)}`).not.toContain('secret-word');
  });

  it.each(['https://example.com/#a', 'https://example.com/#', 'https://example.com/?a#@127.0.0.1/'])('%s is refused for its fragment', (url) => {
    expect(refusal(url)!.publicMessage).toContain('fragment');
  });

  it.each(['', 'example.com', '//example.com', 'https://', 'https://example.com:99999/', 'https://exa mple.com/', 'https://[::1', 'https://999.1.1.1/'])('%j is not a URL', (url) => {
    expect(refusal(url)!.publicMessage).toBe('not a valid URL');
  });

  it.each(['https://example.com:0/', 'https://a..b/', `https://${'a.'.repeat(127)}com/`])('%s has no usable host or port', (url) => expect(refusal(url)).not.toBeNull());

  it('never lets a refusal repeat the query', () => {
    const error = refusal('https://10.0.0.1/?token=secret-word')!;
    expect(`${error.message} ${error.publicMessage}`).not.toContain('secret-word');
  });

  it('refuses every spelling of a private address', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffff }), fc.constantFrom(10, 16, 8), (low, radix) => {
      const value = 0x0a000000 + low;
      const prefix = { 10: '', 16: '0x', 8: '0' }[radix]!;
      expect(refusal(`https://${prefix}${value.toString(radix)}/`)).toMatchObject({ code: 'REFUSED' });
    }));
  });
});

describe('the loopback allowance', () => {
  const local = policy('', { allowLoopback: true, denied: [{ host: '127.0.0.1', port: 4000 }, { host: 'localhost', port: 5432 }, { host: '0.0.0.0', port: 9090 }] });

  it.each(['http://127.0.0.1:3000/', 'http://localhost:3000/mcp', 'http://localhost.:3000/', 'http://x.localhost:3000/', 'https://[::1]:3000/', 'http://0x7f.1:3000/'])('admits %s', (url) => {
    expect(refusal(url, local)).toBeNull();
  });

  it.each(['http://10.0.0.1/', 'https://192.168.0.1/', 'http://169.254.169.254/', 'https://169.254.169.254/', 'http://0.0.0.0:3000/', 'http://8.8.8.8/'])('does not admit %s', (url) => {
    expect(refusal(url, local)).toMatchObject({ publicMessage: REFUSED_BY_POLICY });
  });

  it.each([
    'http://127.0.0.1:4000/', 'http://localhost:4000/', 'http://[::1]:4000/', 'http://127.9.9.9:4000/', 'http://[::ffff:127.0.0.1]:4000/', 'http://2130706433:4000/', 'http://x.localhost:4000/',
    'http://localhost.:4000/', 'http://127.0.0.1:5432/', 'http://127.0.0.1:9090/', 'https://127.0.0.1:4000/',
  ])('does not admit %s, which is one of our own ports', (url) => expect(refusal(url, local)).toMatchObject({ publicMessage: REFUSED_BY_POLICY }));

  it('keeps our own ports closed under every rule, through 0.0.0.0 too', () => {
    const open = policy('0.0.0.0/0, ::/0, localhost, 0.0.0.0, db.example', { allowLoopback: true, denied: [...local.denied, { host: 'db.example', port: 5432 }] });
    for (const url of ['http://127.0.0.1:4000/', 'http://0.0.0.0:4000/', 'http://[::]:4000/', 'http://localhost:4000/', 'http://db.example:5432/']) {
      expect(refusal(url, open)).toMatchObject({ code: 'REFUSED' });
    }
    expect(refusal('http://127.0.0.1:4001/', open)).toBeNull();
  });
});

describe('rules', () => {
  it.each([
    ['mcp.internal', 'http://mcp.internal:8080/'], ['mcp.internal:8080', 'http://mcp.internal:8080/'], ['MCP.Internal.', 'http://mcp.internal/'], ['10.0.0.1', 'http://10.0.0.1/'],
    ['10.0.0.0/8', 'http://10.200.0.1/'], ['[fd00::1]:8080', 'http://[fd00::1]:8080/'], ['fd00::1', 'http://[fd00:0::1]/'], ['fd00::/8', 'http://[fdff::1]/'],
    ['10.0.0.0/8', 'http://[::ffff:10.0.0.1]/'], ['localhost', 'http://localhost:3000/'], ['127.0.0.1:3000', 'http://127.0.0.1:3000/'], ['bücher.example', 'http://xn--bcher-kva.example/'],
    ['mcp.internal:80', 'http://mcp.internal/'], ['mcp.internal:443', 'https://mcp.internal/'],
  ])('%s admits %s', (allow, url) => expect(refusal(url, policy(allow))).toBeNull());

  it.each([
    ['mcp.internal:8080', 'http://mcp.internal:8081/'], ['mcp.internal', 'http://evil.mcp.internal/'], ['mcp.internal', 'http://mcp.internal.evil.example/'], ['10.0.0.1', 'http://10.0.0.2/'],
    ['10.0.0.0/8', 'http://11.0.0.1/'], ['localhost', 'http://127.0.0.1/'], ['example.com', 'http://example.org/'],
  ])('%s does not admit %s', (allow, url) => expect(refusal(url, policy(allow))).toMatchObject({ publicMessage: REFUSED_BY_POLICY }));

  it.each(['169.254.169.254', 'metadata.google.internal', '169.254.169.254:80'])('the host rule %s does not open a metadata service', (allow) => {
    for (const url of ['http://169.254.169.254/', 'http://metadata.google.internal/']) expect(refusal(url, policy(allow))).toMatchObject({ code: 'REFUSED' });
  });

  it.each(['169.254.169.254/32', '169.254.0.0/16'])('the block %s does', (allow) => {
    for (const url of ['http://169.254.169.254/', 'http://metadata.google.internal/']) expect(refusal(url, policy(allow))).toBeNull();
  });

  it('leave the decision on a name to its addresses, where a block may admit them', () => {
    expect(refusal('http://mcp.tools.svc:8080/', policy('10.0.0.0/8'))).toBeNull();
  });

  it('are read with all their faults at once', () => {
    const read = (): unknown => parseAllowRules('ok.example, *.example.com, 10.1.2.3/8, https://a.example/, a.example:0, a b, 10.0.0.0/99,, a.example:70000, u@h, x/y, fd00::/8');
    expect(read).toThrow(AllowRulesInvalid);
    try {
      read();
    } catch (error) {
      expect((error as AllowRulesInvalid).faults).toEqual([
        '"*.example.com" holds a wildcard; name each host, or give a CIDR',
        '"10.1.2.3/8" is not a CIDR: the prefix is too long, or bits below it are set',
        '"https://a.example/" is a URL; give the host, host:port or CIDR only',
        '"a.example:0" has a port outside 1 to 65535',
        '"a b" is not a host or host:port',
        '"10.0.0.0/99" is not a CIDR: the prefix is too long, or bits below it are set',
        '"a.example:70000" is not a host or host:port',
        '"u@h" is not a host or host:port',
        '"x/y" is not a CIDR such as 10.0.0.0/8 or fd00::/8',
      ]);
    }
  });

  it('may be absent', () => expect(parseAllowRules(' , ')).toEqual([]));
});
