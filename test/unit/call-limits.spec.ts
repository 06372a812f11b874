import { CallLimits } from '#api/call/limits.js';

const OPEN = { ratePerMinute: null, concurrency: null };

function limits(maxInFlight = 100) {
  const time = { now: 0 };
  return { time, limits: new CallLimits({ maxInFlight, clock: () => time.now }) };
}

describe('limits of calls', () => {
  it('let a minute\'s calls through at once, then as many as the rate refills, and say when', () => {
    const { time, limits: guard } = limits();
    const rate = { ...OPEN, ratePerMinute: 2 };
    guard.enter('t', rate)();
    guard.enter('t', rate)();
    expect(() => guard.enter('t', rate)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 30_000 }));
    time.now = 29_999;
    expect(() => guard.enter('t', rate)).toThrow(expect.objectContaining({ retryAfterMs: 1 }));
    time.now = 30_000;
    guard.enter('t', rate)();
    expect(() => guard.enter('t', rate)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
    guard.enter('another type', rate)();
  });

  it('take a changed rate from now on', () => {
    const { limits: guard } = limits();
    guard.enter('t', { ...OPEN, ratePerMinute: 1 })();
    guard.enter('t', { ...OPEN, ratePerMinute: 5 })();
    guard.enter('t', OPEN)();
  });

  it('count what runs at a time, per type and in all', () => {
    const { limits: guard } = limits(3);
    const two = { ...OPEN, concurrency: 2 };
    const leave = guard.enter('a', two);
    guard.enter('a', two);
    expect(() => guard.enter('a', two)).toThrow(expect.objectContaining({ code: 'OVERLOADED', retryable: true, retryAfterMs: 500 }));
    guard.enter('b', OPEN);
    expect(() => guard.enter('b', OPEN)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
    expect(guard.inFlight).toBe(3);
    leave();
    guard.enter('a', two);
  });

  it('don\'t count what they refuse', () => {
    const { limits: guard } = limits(1);
    const leave = guard.enter('a', OPEN);
    const rate = { ...OPEN, ratePerMinute: 1 };
    expect(() => guard.enter('b', rate)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
    leave();
    guard.enter('b', rate);
  });

  it('forget types that are idle, and not those that run', () => {
    const { time, limits: guard } = limits();
    const leave = guard.enter('a', { ...OPEN, concurrency: 1 });
    time.now = 1_000_000;
    guard.prune();
    expect(() => guard.enter('a', { ...OPEN, concurrency: 1 })).toThrow();
    leave();
  });
});
