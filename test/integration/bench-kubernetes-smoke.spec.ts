import { expect, test } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';

const MAIN = fileURLToPath(new URL('../bench/kubernetes/main.js', import.meta.url));

describeNeeding('plane', 'the benchmark of the mirror', () => {
  test('in short: of twenty objects applied at once none is lost or doubled, each server is asked by its own, and neither peace nor a restart makes the operator write', async () => {
    const bench = startChild([process.execPath, MAIN, '--smoke']);
    const { code } = await bench.ended;
    expect({ code, wrong: bench.output.filter((line) => line.startsWith('WRONG')), told: bench.output, errors: bench.errors })
      .toEqual({ code: 0, wrong: [], told: expect.arrayContaining([expect.stringMatching(/^RIGHT/)]), errors: expect.anything() });
  }, PLANE_TIMEOUT_MS);
});
