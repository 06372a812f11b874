import { needsApproval } from '#api/call/approval-rule.js';
import { Circuits, reachedBy } from '#api/call/circuits.js';
import { CallLimits } from '#api/call/limits.js';
import { PeerFault } from '#core/errors.js';
import { CallCancelled } from '#core/mcp/session.js';

const DOWN = new PeerFault('UNREACHABLE', 'No connection.', { sent: 'NOTHING' });

function circuits() {
  const time = { now: 0 };
  return { time, circuits: new Circuits({ failures: 2, openMs: 100, longestMs: 300, clock: () => time.now }) };
}

describe('a circuit', () => {
  it('opens after failures in a row, for longer with each probe that fails, and closes when one gets through', () => {
    const { time, circuits: all } = circuits();
    all.note('a', DOWN);
    all.note('a', null);
    all.note('a', DOWN);
    all.enter('a', 'A')();
    all.note('a', DOWN);
    expect(() => all.enter('a', 'A')).toThrow(expect.objectContaining({ code: 'CIRCUIT_OPEN', retryable: true, retryAfterMs: 100 }));
    all.enter('b', 'B')();
    for (const pause of [100, 200, 300, 300]) {
      time.now += pause;
      const done = all.enter('a', 'A');
      expect(() => all.enter('a', 'A')).toThrow(expect.objectContaining({ code: 'CIRCUIT_OPEN' }));
      all.note('a', DOWN);
      done();
    }
    time.now += 300;
    const done = all.enter('a', 'A');
    all.note('a', null);
    done();
    all.enter('a', 'A')();
  });

  it('lets the next call try when a probe says nothing, or wasn\'t made', () => {
    const { time, circuits: all } = circuits();
    all.note('a', DOWN);
    all.note('a', DOWN);
    time.now += 100;
    const done = all.enter('a', 'A');
    all.note('a', new CallCancelled('NOTHING'));
    done();
    all.enter('a', 'A')();
  });

  it('isn\'t kept open by calls that were on their way when it opened', () => {
    const { time, circuits: all } = circuits();
    for (let late = 0; late < 10; late++) all.note('a', DOWN);
    expect(() => all.enter('a', 'A')).toThrow(expect.objectContaining({ retryAfterMs: 100 }));
    time.now += 100;
    all.enter('a', 'A')();
  });

  it.each([
    ['an answer', null, true],
    ['no connection', DOWN, false],
    ['a broken connection', new PeerFault('UNREACHABLE', '', { sent: 'MAYBE' }), false],
    ['a gateway\'s 503', new PeerFault('UNREACHABLE', '', { status: 503 }), false],
    ['a server\'s 500', new PeerFault('UNREACHABLE', '', { status: 500 }), true],
    ['HTTP 429', new PeerFault('UNREACHABLE', '', { status: 429, sent: 'REFUSED' }), true],
    ['HTTP 401', new PeerFault('UNAUTHORIZED', '', { status: 401, sent: 'REFUSED' }), true],
    ['a session that isn\'t ready in time', new PeerFault('TIMEOUT', '', { sent: 'NOTHING' }), false],
    ['a tool that takes too long', new PeerFault('TIMEOUT', '', { sent: 'MAYBE' }), null],
    ['a caller who goes', new CallCancelled('MAYBE'), null],
    ['a fault of ours', new Error('ours'), null],
  ])('learns from %s', (_name, error, reached) => {
    expect(reachedBy(error)).toBe(reached);
  });
});

it('a token has bounds of its own, whatever it calls', () => {
  const limits = new CallLimits({ maxInFlight: 10, clock: () => 0 });
  const open = { ratePerMinute: null, concurrency: null };
  const token = { id: 't', limits: { ratePerMinute: 2, concurrency: 1 } };
  const leave = limits.enter('a', open, token);
  expect(() => limits.enter('b', open, token)).toThrow(expect.objectContaining({ code: 'OVERLOADED', publicMessage: expect.stringMatching(/^This token allows 1 calls at a time/) }));
  leave();
  limits.enter('b', open, token)();
  expect(() => limits.enter('a', open, token)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 30_000 }));
  limits.enter('a', open)();
});

it('a call that waits for approval counts for its token\'s rate, and for its type\'s when it is made', () => {
  const limits = new CallLimits({ maxInFlight: 10, clock: () => 0 });
  const two = { ratePerMinute: 2, concurrency: null };
  const token = { id: 't', limits: two };
  limits.enter('a', two, token)('ASKED');
  limits.enter('a', two, token)('ASKED');
  expect(() => limits.enter('a', two, token)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', publicMessage: expect.stringMatching(/^This token/) }));
  const approved = { ...token, asked: true };
  limits.enter('a', two, approved)();
  limits.enter('a', two, approved)('UNMADE');
  limits.enter('a', two, approved)();
  expect(() => limits.enter('a', two, approved)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', publicMessage: expect.stringMatching(/^This connection type/) }));
});

describe('approval is needed', () => {
  const question = { tool: 'drop-table', hints: {}, trusted: false, destructiveTools: 'ALLOW' as const, requireApproval: [] };
  it.each([
    ['never of itself', {}, false],
    ['for all', { requireApproval: ['*'] }, true],
    ['for a name', { requireApproval: ['drop-table'] }, true],
    ['for a pattern', { requireApproval: ['drop-*'] }, true],
    ['for others', { requireApproval: ['add-*'] }, false],
    ['by policy, whatever an untrusted server says', { destructiveTools: 'REQUIRE_APPROVAL' as const, hints: { readOnlyHint: true } }, true],
    ['by policy, not for what a trusted server calls harmless', { destructiveTools: 'REQUIRE_APPROVAL' as const, hints: { readOnlyHint: true }, trusted: true }, false],
    ['by policy, not for what a trusted server says destroys nothing', { destructiveTools: 'REQUIRE_APPROVAL' as const, hints: { destructiveHint: false }, trusted: true }, false],
    ['by policy, for what a trusted server says nothing of', { destructiveTools: 'REQUIRE_APPROVAL' as const, trusted: true }, true],
    ['by the slot, whatever the policy', { requireApproval: ['*'], hints: { readOnlyHint: true }, trusted: true }, true],
  ])('%s', (_name, change, needed) => {
    expect(needsApproval({ ...question, ...change })).toBe(needed);
  });
});
