import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** What is used of jest's tests (https://jestjs.io/docs/configuration#testsequencer-string). */
interface TestFile {
  path: string;
}

/**
 * Files of `test/integration` that take long, of which none may be the last: Jest itself knows no durations in a fresh clone, goes by the files' sizes, and ends with a minute of one small file alone.
 * Those that need the control plane come after others, since it may have to be built first; then those that mostly wait, or judge how processes fare, beside which the many short ones run.
 */
export const LONG = [
  'bad-input-mutations', 'oauth-refresh-processes', 'local-mode', 'cli-dev', 'postgres-supervisor', 'contract-oauth', 'canary', 'hostile-calls', 'oauth-refresh', 'live', 'access-matrix', 'call-kill',
  'operator-processes', 'operator', 'key-rotation', 'interrupted-programs', 'call-outcomes', 'oauth-sdk-demo', 'readiness', 'consent-installation',
  'mirror-processes', 'mirror-many', 'bench-kubernetes-smoke', 'mirror-enrollments', 'mirror-oauth', 'mirror-deletions', 'mirror-rights', 'readme', 'mirror-watch', 'mirror-release', 'mirror', 'mirror-rules', 'kube-runtime',
  'cli-kubernetes', 'chart-cluster', 'soak', 'chaos', 'bench-smoke', 'bench-operator-smoke', 'demo', 'call-hanging',
];

/** The order in which test files begin. */
export default class Sequencer {
  sort<T extends TestFile>(tests: readonly T[]): T[] {
    const place = ({ path }: TestFile): number => {
      const index = basename(dirname(path)) === 'integration' ? LONG.indexOf(basename(path, '.spec.js')) : -1;
      return index === -1 ? LONG.length : index;
    };
    const size = ({ path }: TestFile): number => statSync(path).size;
    return [...tests].sort((one, other) => place(one) - place(other) || size(other) - size(one));
  }

  /** Jest offers the durations to be kept: the order is the same in each run. */
  cacheResults(): void {}
}
