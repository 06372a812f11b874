import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { LocalState } from '#test/support/local-fairlead.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';

const NOTE_LOADED = pathToFileURL(resolve('dist/test/support/programs/note-loaded.js')).href;
/** Of each, what takes its memory is told in ADR 37. */
const NEEDLESS = [
  '@kubernetes/client-node', 'jose', '@graphql-yoga/render-graphiql', '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler', '@opentelemetry/sdk-trace', '@opentelemetry/exporter-trace-otlp-http', 'yaml', '@apollo/usage-reporting-protobuf',
];

it('what serves calls of tools has loaded nothing that only other installations, other moments or tests need', async () => {
  const server = await startMinimal();
  const state = await LocalState.create();
  try {
    const fairlead = await state.start({ NODE_OPTIONS: `--import=${NOTE_LOADED}` });
    const { connectionType } = await fairlead.must('CreateConnectionType', { team: 'default', displayName: 'Stock', name: 'stock', serverUrl: server.url, authMethod: 'NONE' });
    await fairlead.must('Enroll', { connectionTypeId: connectionType.id });
    expect((await fairlead.must('CallTool', { connectionType: 'stock', tool: 'echo', arguments: {} })).toolCall.status).toBe('SUCCEEDED');
    fairlead.child.process.kill('SIGTERM');
    await fairlead.child.ended;
    const loaded = JSON.parse((await fairlead.child.line(/^loaded: /)).slice('loaded: '.length)) as string[];
    expect(loaded).toEqual(expect.arrayContaining(['graphql', 'pg', 'typeorm', 'fastify', 'NativeModule http']));
    expect(loaded.filter((name) => NEEDLESS.includes(name))).toEqual([]);
  } finally {
    await state.remove();
    await server.close();
  }
});
