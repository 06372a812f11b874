import { needOf } from './control-plane/needs.js';

/** What is used of jest's results (https://jestjs.io/docs/configuration#custom-reporters). */
interface RunResults {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Files that didn't even run. */
  numRuntimeErrorTestSuites: number;
  testResults: { testResults: { status: string; ancestorTitles: string[] }[] }[];
}

/**
 * A reporter that ends the run with two plain lines for programs: what became of the tests that need a control plane, or Go, and `N passed, N failed, N skipped`.
 * A file that didn't run counts as failed.
 */
export default class ClosingLine {
  onRunComplete(_contexts: unknown, results: RunResults): void {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests + results.numTodoTests} skipped\n`;
    // Jest's own summary comes after all other reporters, and the teardown after that.
    process.once('exit', () => process.stdout.write(planeLine(results) + line));
  }
}

/** `.ci/run` reads the second number. */
function planeLine({ testResults }: RunResults): string {
  const needing = testResults.flatMap((file) => file.testResults).map(({ status, ancestorTitles }) => ({ need: needOf(ancestorTitles), ran: status === 'passed' || status === 'failed' }));
  const count = (need: string | null, ran: boolean) => needing.filter((test) => test.need !== null && test.ran === ran && (need === null || test.need === need)).length;
  return `Control plane: ${count(null, true)} run, ${count('plane', false)} skipped for want of a control plane, ${count('apiserver', false)} skipped for want of a real kube-apiserver, ${count('go', false)} skipped for want of Go\n`;
}
