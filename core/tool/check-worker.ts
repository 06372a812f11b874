import { parentPort } from 'node:worker_threads';
import { readDialect } from './dialect.js';
import type { CheckReply, CheckRequest } from './check-protocol.js';
import { SchemaCompiler, type Validate } from './schema-compiler.js';
import { SchemaUnusable } from './schema-unusable.js';

/** The program of a check worker: compiles and checks what may take for ever, until it is stopped from outside. */
const compiler = new SchemaCompiler();
const compiled = new Map<string, Validate>();

function send(reply: CheckReply): void {
  parentPort!.postMessage(reply);
}

function check(request: CheckRequest): void {
  if (request.forget) compiled.clear();
  let validate = compiled.get(request.key);
  if (validate === undefined) {
    validate = compiler.compile(readDialect(request.schema));
    compiled.set(request.key, validate);
    send({ kind: 'COMPILED' });
  }
  send({ kind: 'CHECKED', violations: validate(request.value) });
}

parentPort!.on('message', (request: CheckRequest) => {
  try {
    check(request);
  } catch (error) {
    // Whatever else comes out of a server's schema or a caller's value (a stack that overflows, say) is no reason to end.
    if (error instanceof SchemaUnusable) send({ kind: 'UNUSABLE', message: error.message });
    else send({ kind: 'FAILED' });
  }
});
send({ kind: 'READY' });
