import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { claimText, subjectOf } from '#api/identity/claims.js';
import { bearerOf } from '#api/identity/bearer.js';
import { isFairleadToken, mintToken, parseToken } from '#api/identity/fairlead-token.js';
import { grantsOf } from '#api/identity/group-roles.js';
import { IdentityFault } from '#api/identity/identity-fault.js';
import { roleAtLeast, type Role } from '#core/connection/role.js';

describe('a Fairlead token', () => {
  it('is recognised again by its hash, and its prefix says little', () => {
    const { secret, hash, prefix } = mintToken();
    expect(secret).toMatch(/^flt_[0-9A-Za-z]{49}$/);
    expect(parseToken(secret)).toEqual({ hash, prefix });
    expect(hash).toEqual(createHash('sha256').update(secret).digest());
    expect(secret.startsWith(prefix)).toBe(true);
    expect(prefix).toHaveLength(12);
    expect(mintToken().secret).not.toBe(secret);
  });

  it('that is mistyped, cut off or extended is told without a look-up', () => {
    const { secret } = mintToken();
    const swapped = secret[10] === 'a' ? 'b' : 'a';
    for (const text of [`${secret.slice(0, 10)}${swapped}${secret.slice(11)}`, secret.slice(0, -1), `${secret}x`, ` ${secret}`, 'flt_', `${secret}\n`, secret.replace('flt_', 'FLT_')]) {
      expect(() => parseToken(text)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED', publicMessage: expect.stringContaining('mistyped or cut off') }));
    }
  });

  it('is told from other tokens by its beginning', () => {
    expect([isFairleadToken('flt_broken'), isFairleadToken('eyJhbGciOi.J9.x')]).toEqual([true, false]);
  });
});

describe('the Authorization header', () => {
  it('holds a bearer token, or nothing', () => {
    expect(bearerOf({})).toBeNull();
    expect(bearerOf({ authorization: 'bearer flt_x' })).toBe('flt_x');
    for (const authorization of ['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', 'flt_x', 'Bearer "x"']) {
      expect(() => bearerOf({ authorization })).toThrow(IdentityFault);
    }
  });
});

describe('the mapping of groups to roles', () => {
  it('grants the strongest role that any group of a person has in a team', () => {
    const groups = [['a', 'x', 'MANAGER'], ['b', 'x', 'MEMBER'], ['c', 'x', 'ADMIN'], ['b', 'y', 'MEMBER']].map(([group, team, role]) => ({ group: group!, team: team!, role: role as Role }));
    expect(grantsOf(groups, ['b', 'a'])).toEqual([{ team: 'x', role: 'MANAGER' }, { team: 'y', role: 'MEMBER' }]);
    expect(grantsOf(groups, ['A', 'unknown'])).toEqual([]);
  });

  it('knows the order of roles', () => {
    expect([roleAtLeast('MANAGER', 'MEMBER'), roleAtLeast('MEMBER', 'MANAGER'), roleAtLeast('ADMIN', 'ADMIN')]).toEqual([true, false, true]);
  });
});

describe('claims', () => {
  it('that no database holds are none: half of a character would make one person of two', () => {
    expect(['a\ud800', 'a\udc00b', 'a\u0000', 'a\u0085'].map((claim) => claimText(claim, 10))).toEqual([null, null, null, null]);
    expect(() => subjectOf({ sub: 'a\ud800' }, 'sub')).toThrow('claim sub is missing or no plain text');
    expect(claimText('🗝️', 10)).toBe('🗝️');
  });
});
