import { BlockList, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { classify, contains, parseCidr, parseIp } from '#core/egress/address.js';

const kind = (text: string): string => classify(parseIp(text)!);

describe('parsing addresses', () => {
  it('reads every IPv4 address', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => {
      const ip = parseIp(text)!;
      expect(ip.family).toBe(4);
      expect([24n, 16n, 8n, 0n].map((shift) => (ip.value >> shift) & 0xffn).join('.')).toBe(text);
    }));
  });

  it('reads every spelling of an IPv6 address as the same value', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
      const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
      const long = groups.map((group) => group.padStart(4, '0').toUpperCase()).join(':');
      const dotted = `${groups.slice(0, 6).join(':')}:${Number.parseInt(groups[6]!, 16) >> 8}.${Number.parseInt(groups[6]!, 16) & 255}`
        + `.${Number.parseInt(groups[7]!, 16) >> 8}.${Number.parseInt(groups[7]!, 16) & 255}`;
      const short = new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
      expect(new Set([groups.join(':'), long, dotted, short].map((text) => parseIp(text)!.value)).size).toBe(1);
    }));
  });

  it('agrees with fast-check on compressed forms', () => {
    fc.assert(fc.property(fc.ipV6(), (text) => {
      const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
      expect(parseIp(text)).toEqual(parseIp(canonical));
    }));
  });

  it('takes an IPv4-mapped address for the IPv4 address that it is', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => expect(parseIp(`::ffff:${text}`)).toEqual(parseIp(text))));
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '256.1.1.1', '0x7f.1', '2130706433', 'fe80::1%eth0', '::1%lo', ':::', '1::2::3', '[::1]', 'localhost', '127.0.0.1.'])(
    'does not take %j for an address', (text) => expect(parseIp(text)).toBeNull(),
  );
});

describe('CIDRs', () => {
  it('contain what the system says they contain', () => {
    const block = fc.oneof(
      fc.record({ family: fc.constant('ipv4' as const), address: fc.ipV4(), other: fc.ipV4(), prefix: fc.integer({ min: 0, max: 32 }) }),
      fc.record({ family: fc.constant('ipv6' as const), address: fc.ipV6(), other: fc.ipV6(), prefix: fc.integer({ min: 0, max: 128 }) }),
    );
    fc.assert(fc.property(block, ({ family, address, other, prefix }) => {
      const list = new BlockList();
      list.addSubnet(address, prefix, family);
      const base = parseIp(address)!;
      fc.pre(family === 'ipv4' || base.family === 6);
      fc.pre(family === 'ipv4' || parseIp(other)!.family === 6);
      for (const probe of [address, other]) {
        expect(contains({ base, prefix }, parseIp(probe)!)).toBe(list.check(probe, family));
      }
    }));
  });

  it('refuse stray bits, so that a mistyped prefix opens nothing', () => {
    expect(parseCidr('10.1.2.3/8')).toBeNull();
    expect(parseCidr('10.0.0.0/33')).toBeNull();
    expect(parseCidr('fd00::1/8')).toBeNull();
    expect(parseCidr('::ffff:10.0.0.0/104')).toEqual(parseCidr('10.0.0.0/8'));
  });
});

describe('sorting addresses', () => {
  it.each([
    '8.8.8.8', '1.1.1.1', '93.184.215.14', '172.15.255.255', '172.32.0.0', '192.167.255.255', '100.63.255.255', '100.128.0.0', '11.0.0.0', '223.255.255.255',
    '2606:4700:4700::1111', '2a00:1450:4001::1', '64:ff9b::8.8.8.8', '::ffff:8.8.8.8',
  ])('%s is public', (text) => expect(kind(text)).toBe('PUBLIC'));

  it.each(['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:ffff:7f00:1'])('%s is loopback', (text) => expect(kind(text)).toBe('LOOPBACK'));

  it.each([
    '169.254.169.254', '169.254.170.2', '169.254.170.23', '169.254.0.1', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd00:ec2::23',
    'fd20:ce::254', '::ffff:169.254.169.254', '64:ff9b::169.254.169.254',
  ])('%s is a metadata address', (text) => expect(kind(text)).toBe('METADATA'));

  it.each([
    '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1',
    '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255',
    '::', '::127.0.0.1', '::ffff:10.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::10.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b:1::8.8.8.8', '100::1', '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:db8::1', '2002:7f00:1::1', '2002:a00:1::', '2002:808:808::', '3fff::1', '4000::1', '5f00::1', 'fc00::1', 'fd12:3456::1',
    'fe80::1', 'fec0::1', 'ff02::1',
  ])('%s is reserved', (text) => expect(kind(text)).toBe('RESERVED'));

  it('sorts a mapped address and a NAT64 address as strictly as the IPv4 address inside', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => {
      expect(kind(`::ffff:${text}`)).toBe(kind(text));
      expect(kind(`64:ff9b::${text}`) === 'PUBLIC').toBe(kind(text) === 'PUBLIC');
    }));
  });
});
