import { UserFault } from '#core/errors.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';

let world: CallWorld;
let server: GatedServer;
let ada: Caller;

beforeEach(async () => {
  server = await startGated((call) => ({ content: [{ type: 'text', text: JSON.stringify(call.arguments) }] }));
  world = await CallWorld.create();
  ada = await world.caller('ada');
});
afterEach(async () => {
  await world.close();
  await server.close();
});

/** The refusal that `work` ends with. */
async function refusal(work: Promise<unknown>): Promise<UserFault> {
  const error: unknown = await work.then(() => null, (cause: unknown) => cause);
  if (!(error instanceof UserFault)) throw new Error('was not refused', { cause: error });
  return error;
}

describe('a call that goes through', () => {
  it('carries the credential, answers with the content, and is on record', async () => {
    const type = await world.type({ serverUrl: server.url });
    const enrollment = await world.enroll(type, ada, { label: 'mine' });
    const view = await ada.call({ tool: 'echo', arguments: { nonce: 'n1' } });
    expect(view).toMatchObject({ contentState: 'AVAILABLE', arguments: { nonce: 'n1' }, content: [{ type: 'text', text: '{"nonce":"n1"}' }], structuredContent: null });
    expect(view.record).toMatchObject({ status: 'SUCCEEDED', error: null, tool: 'echo', callerName: 'ada', connectionTypeName: 'stock', enrollmentId: enrollment.id, enrollmentLabel: 'mine' });
    expect(server.calls.map((call) => call.authorization)).toEqual(['Bearer canary-token-4711']);
    expect(await world.service.get(ada.principal, view.record.id)).toMatchObject({ record: { status: 'SUCCEEDED' }, contentState: 'NOT_KEPT', content: null, arguments: null });
  });
});

describe('refusals', () => {
  it('are on the audit trail', async () => {
    await world.type({ serverUrl: server.url });
    expect(await refusal(ada.call({ tool: 'echo' }))).toMatchObject({ code: 'NOT_CONNECTED', action: { url: 'https://fairlead.test/crew/stock' } });
    expect(await world.query('select action, outcome, code, actor_name from audit_events')).toEqual([{ action: 'callTool', outcome: 'REFUSED', code: 'NOT_CONNECTED', actor_name: 'ada' }]);
  });
});
