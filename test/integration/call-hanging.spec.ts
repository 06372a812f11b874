import { setTimeout as sleep } from 'node:timers/promises';
import { residentMiB } from '#test/bench/process-usage.js';
import { Observed } from '#test/soak/flatness.js';
import { LocalState, type LocalFairlead } from '#test/support/local-fairlead.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startMisbehaving, type MisbehavingServer } from '#test/support/mcp-servers/misbehaving.js';
import { until } from '#test/support/mcp-servers/until.js';

/** One server that hangs, and many who call it, seen from outside of the process. */

const CALLERS = 300;
/** Egress: at most so many connections to one origin; and the operator in the same process looks at it by one of its own. */
const CONNECTIONS = 64 + 1;
/** 256 MiB of results' room, for results of 1 MiB. */
const AT_ONCE = 256;

let state: LocalState;
let fairlead: LocalFairlead;
let hanging: MisbehavingServer;
let fine: MinimalServer;
/** Of those who call the server that hangs, and of somebody else. */
let many: string;
let other: string;

beforeAll(async () => {
  [hanging, fine] = [await startMisbehaving('hangs'), await startMinimal()];
  state = await LocalState.create();
  fairlead = await state.start();
  [many, other] = [await token('many'), await token('other')];
  // The time of those that hang is long enough for all of them to come before the first is over, on a machine that stands still for a while too.
  for (const [name, serverUrl, bearer, calls] of [['hanging', hanging.url, many, { timeoutMs: 15_000 }], ['fine', fine.url, other, {}]] as const) {
    const { connectionType } = await fairlead.must('CreateConnectionType', { team: 'default', displayName: name, name, serverUrl, authMethod: 'NONE', calls });
    await fairlead.must('Enroll', { connectionTypeId: connectionType.id }, bearer);
  }
});
afterAll(async () => {
  await state.remove();
  await Promise.all([hanging.close(), fine.close()]);
});

async function token(subject: string): Promise<string> {
  const { member } = await fairlead.must('SetMember', { team: 'default', subject, role: 'MEMBER' });
  return (await fairlead.must('CreateToken', { team: 'default', name: subject, memberId: member.id })).secret;
}

const call = (connectionType: 'hanging' | 'fine', nonce: number) => fairlead.gql('CallTool', { input: { connectionType, tool: 'echo', arguments: { nonce: String(nonce) } } }, connectionType === 'fine' ? other : many)
  .then(({ data }) => data.callTool as { toolCall: { status: string; error: { code: string } | null } | null; userErrors: { code: string; retryAfterMs: number | null }[] });

// Counted in /proc, which other systems don't have.
(process.platform === 'linux' ? it : it.skip)('takes no more sockets and memory than its part, other servers are called meanwhile, and when its callers\' time is over all is as before', async () => {
  const pid = fairlead.child.pid;
  const sockets = async (): Promise<number> => (await new Observed(pid, 0, '').sockets()).other;
  expect((await call('fine', 0)).toolCall?.status).toBe('SUCCEEDED');
  const before = { sockets: await sockets(), mib: await residentMiB(pid) };

  const held = Promise.all(Array.from({ length: CALLERS }, (_, index) => call('hanging', index)));
  let most = { connections: 0, sockets: 0, mib: 0 };
  let over = false;
  void held.finally(() => { over = true; });
  const others: string[] = [];
  while (!over) {
    others.push((await call('fine', others.length + 1)).toolCall?.status ?? 'refused');
    const now = { connections: hanging.connections(), sockets: await sockets(), mib: await residentMiB(pid) };
    most = { connections: Math.max(most.connections, now.connections), sockets: Math.max(most.sockets, now.sockets), mib: Math.max(most.mib, now.mib) };
    await sleep(20);
  }
  const answers = await held;
  const refused = answers.filter(({ toolCall }) => toolCall === null);
  expect(most.connections).toBeLessThanOrEqual(CONNECTIONS);
  expect(most.connections).toBeGreaterThan(CONNECTIONS / 2);
  // Besides the callers' own, and those to the database and the server that is fine.
  expect(most.sockets - before.sockets).toBeLessThanOrEqual(CALLERS + CONNECTIONS + 24);
  expect(most.mib - before.mib).toBeLessThan(200);
  expect(new Set(others)).toEqual(new Set(['SUCCEEDED']));
  expect(refused.length).toBeGreaterThanOrEqual(CALLERS - AT_ONCE);
  expect(new Set(refused.flatMap(({ userErrors }) => userErrors.map(({ code }) => code)))).toEqual(new Set(['OVERLOADED']));
  expect(refused.every(({ userErrors }) => userErrors[0]!.retryAfterMs! > 0)).toBe(true);
  // UNREACHABLE: on a slow machine a connection isn't there before the time is over.
  const ends = answers.flatMap(({ toolCall }) => (toolCall === null ? [] : [toolCall.error?.code]));
  expect(ends).toContain('TIMEOUT');
  expect(ends.filter((code) => code !== 'TIMEOUT' && code !== 'UNREACHABLE')).toEqual([]);

  // A connection whose answer is still to come is of no use any more.
  await until(() => hanging.connections() <= 2);
  expect((await call('fine', 9999)).toolCall?.status).toBe('SUCCEEDED');
});
