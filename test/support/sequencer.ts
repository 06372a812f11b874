import { statSync } from 'node:fs';
import { basename } from 'node:path';

/** What is used of jest's tests (https://jestjs.io/docs/configuration#testsequencer-string). */
interface TestFile {
  path: string;
}

/**
 * Files that take long, those first that mostly wait: others run beside them. Jest itself knows no durations in a fresh clone, goes by the files' sizes, and ends with a minute of one small file alone.
 * Files that need the control plane come after others, since it may have to be built first.
 */
const FIRST = [
  'soak', 'chaos', 'bad-input-mutations', 'oauth-refresh-processes', 'local-mode', 'cli-dev', 'postgres-supervisor', 'contract-oauth', 'canary', 'hostile-calls', 'oauth-refresh', 'live', 'bench-smoke', 'demo',
  'bench-operator-smoke', 'operator-processes', 'operator', 'interrupted-programs', 'call-outcomes', 'oauth-sdk-demo', 'readiness',
  'mirror-processes', 'mirror-many', 'bench-kubernetes-smoke', 'mirror-enrollments', 'mirror-oauth', 'mirror-deletions', 'mirror-rights', 'readme', 'mirror-watch', 'mirror', 'mirror-rules', 'kube-runtime',
];

/** The order in which test files begin. */
export default class Sequencer {
  sort<T extends TestFile>(tests: readonly T[]): T[] {
    const place = ({ path }: TestFile): number => {
      const index = FIRST.indexOf(basename(path, '.spec.js'));
      return index === -1 ? FIRST.length : index;
    };
    const size = ({ path }: TestFile): number => statSync(path).size;
    return [...tests].sort((one, other) => place(one) - place(other) || size(other) - size(one));
  }

  /** Jest offers the durations to be kept: the order is the same in each run. */
  cacheResults(): void {}
}
