import { chooseEnrollment } from '#api/call/choose-enrollment.js';
import { outcomeOf } from '#api/call/outcome.js';
import { TeamCache } from '#api/call/team-cache.js';
import { EgressError } from '#core/egress/errors.js';
import { PeerFault, UserFault, type CallFaultCode, type PeerFaultOptions } from '#core/errors.js';
import { RpcFault, SessionForgotten } from '#core/mcp/faults.js';
import { CallCancelled } from '#core/mcp/session.js';

describe('the choice of an enrollment', () => {
  const of = (id: string, ownerId: string, shared = false) => ({ id, label: `label-${id}`, ownerId, shared });
  const choose = (candidates: ReturnType<typeof of>[], enrollmentId: string | null = null) =>
    chooseEnrollment({ memberId: 'me', typeName: 'Stock', candidates, enrollmentId, connect: { label: 'Connect', url: 'https://x.test' } }).id;

  it('takes the one asked for, own or shared', () => {
    expect(choose([of('a', 'me'), of('b', 'me')], 'b')).toBe('b');
    expect(choose([of('a', 'me'), of('b', 'you', true)], 'b')).toBe('b');
  });
  it('doesn\'t tell another\'s enrollment from one that isn\'t there', () => {
    const faults = ['theirs', 'nobody'].map((id) => { try { return choose([of('theirs', 'you')], id); } catch (error) { return { ...(error as UserFault), message: (error as Error).message }; } });
    expect(faults[0]).toEqual(faults[1]);
    expect(faults[0]).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'enrollmentId'] });
  });
  it('prefers the caller\'s only own one to a shared one', () => {
    expect(choose([of('shared', 'you', true), of('own', 'me')])).toBe('own');
  });
  it('takes the only shared one where there is no own one', () => {
    expect(choose([of('shared', 'you', true), of('theirs', 'you')])).toBe('shared');
  });
  it('names the labels where several are left', () => {
    expect(() => choose([of('a', 'me'), of('b', 'me')])).toThrow(/AMBIGUOUS_ENROLLMENT: You have several.*"label-a", "label-b"/);
    expect(() => choose([of('a', 'x', true), of('b', 'y', true)])).toThrow(/AMBIGUOUS_ENROLLMENT: The team shares several/);
  });
  it('says where to connect where there is none', () => {
    expect(() => choose([of('theirs', 'you')])).toThrow(expect.objectContaining({ code: 'NOT_CONNECTED', action: { label: 'Connect', url: 'https://x.test' } }));
  });
});

describe('the outcome that an exception means', () => {
  const peer = (code: CallFaultCode, options: PeerFaultOptions) => new PeerFault(code, 'What happened.', options);
  it.each<[string, unknown, object]>([
    ['no connection', peer('UNREACHABLE', { sent: 'NOTHING' }), { status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true } }],
    ['an address that policy refuses', peer('UNREACHABLE', { sent: 'NOTHING', cause: new EgressError('REFUSED', 'no', { sent: 'NOTHING' }) }), { status: 'FAILED', error: { retryable: false } }],
    ['a session that wasn\'t open in time', peer('TIMEOUT', { sent: 'NOTHING' }), { status: 'FAILED', error: { code: 'TIMEOUT', retryable: true } }],
    ['a refused credential', peer('UNAUTHORIZED', { sent: 'REFUSED', status: 401 }), { status: 'FAILED', error: { code: 'UNAUTHORIZED', retryable: false } }],
    ['too little scope', peer('INSUFFICIENT_SCOPE', { sent: 'REFUSED', status: 403 }), { status: 'FAILED', error: { code: 'INSUFFICIENT_SCOPE', retryable: false } }],
    ['a rate limit', peer('UNREACHABLE', { sent: 'REFUSED', status: 429, retryAfterMs: 3000 }), { status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true, retryAfterMs: 3000 } }],
    ['a session forgotten twice', new SessionForgotten(404), { status: 'FAILED', error: { code: 'PROTOCOL_ERROR', retryable: true } }],
    ['a reset', peer('UNREACHABLE', { sent: 'MAYBE' }), { status: 'OUTCOME_UNKNOWN', error: { code: 'UNREACHABLE', retryable: false } }],
    ['a 5xx', peer('UNREACHABLE', { sent: 'MAYBE', status: 503, retryAfterMs: 7000 }), { status: 'OUTCOME_UNKNOWN', error: { code: 'UNREACHABLE', retryable: false, retryAfterMs: null } }],
    ['a deadline', peer('TIMEOUT', { sent: 'MAYBE' }), { status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT', retryable: false } }],
    ['an oversized answer', peer('RESULT_TOO_LARGE', { sent: 'MAYBE' }), { status: 'OUTCOME_UNKNOWN', error: { code: 'RESULT_TOO_LARGE', retryable: false } }],
    ['an unreadable answer', peer('PROTOCOL_ERROR', { sent: 'MAYBE' }), { status: 'OUTCOME_UNKNOWN', error: { code: 'PROTOCOL_ERROR', retryable: false } }],
    ['a JSON-RPC error', new RpcFault(-32603, 'PROTOCOL_ERROR', 'What happened.', { sent: 'MAYBE' }), { status: 'FAILED', error: { code: 'PROTOCOL_ERROR', retryable: false } }],
    ['invalid params', new RpcFault(-32602, 'PROTOCOL_ERROR', 'What happened.', { sent: 'REFUSED' }), { status: 'FAILED', error: { code: 'PROTOCOL_ERROR', retryable: false } }],
    ['a wish for input', peer('INPUT_REQUIRED', { sent: 'MAYBE' }), { status: 'FAILED', error: { code: 'INPUT_REQUIRED', retryable: false } }],
    ['a task', peer('TASK_REQUIRED', { sent: 'MAYBE' }), { status: 'FAILED', error: { code: 'TASK_REQUIRED', retryable: false } }],
    ['a task-only tool', peer('TASK_REQUIRED', { sent: 'NOTHING' }), { status: 'FAILED', error: { code: 'TASK_REQUIRED', retryable: false } }],
    ['no free session', new UserFault('OVERLOADED', 'Busy.', { retryable: true, retryAfterMs: 1000 }), { status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true, retryAfterMs: 1000 } }],
    ['a cancellation before anything was sent', new CallCancelled('NOTHING'), { status: 'CANCELLED', error: null }],
    ['a cancellation at work', new CallCancelled('MAYBE'), { status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT', retryable: false } }],
  ])('of %s', (_name, error, expected) => {
    expect(outcomeOf(error)).toMatchObject(expected);
  });
  it('of a fault of ours is none', () => {
    expect(outcomeOf(new TypeError('undefined is not a function'))).toBeNull();
  });
});

describe('what is cached of a team', () => {
  it('is read once for concurrent callers, and again after a change, even one during the reading', async () => {
    const cache = new TeamCache();
    cache.enabled = true;
    let reads = 0;
    const gates: (() => void)[] = [];
    const read = (): Promise<number> => {
      const value = ++reads;
      return new Promise((resolve) => gates.push(() => resolve(value)));
    };
    const before = [cache.through('t', 'k', read), cache.through('t', 'k', read)];
    cache.invalidate('t');
    const after = cache.through('t', 'k', read);
    for (const open of gates) open();
    expect(await Promise.all(before)).toEqual([1, 1]);
    expect(await after).toBe(2);
    expect(await cache.through('t', 'k', read)).toBe(2);
    expect(await cache.through('another', 'k', () => Promise.resolve(9))).toBe(9);
  });
  it('isn\'t kept while changes can\'t be heard, nor when reading failed', async () => {
    const cache = new TeamCache();
    let reads = 0;
    const read = async (): Promise<number> => ++reads;
    expect([await cache.through('t', 'k', read), await cache.through('t', 'k', read)]).toEqual([1, 2]);
    cache.enabled = true;
    await expect(cache.through('t', 'k', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect([await cache.through('t', 'k', read), await cache.through('t', 'k', read)]).toEqual([3, 3]);
    cache.enabled = false;
    expect(await cache.through('t', 'k', read)).toBe(4);
  });
});
