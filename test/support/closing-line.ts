/** What is used of jest's results (https://jestjs.io/docs/configuration#custom-reporters). */
interface RunResults {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Files that didn't even run. */
  numRuntimeErrorTestSuites: number;
}

/** A reporter that ends the run with one plain line for programs: `N passed, N failed, N skipped`. A file that didn't run counts as failed. */
export default class ClosingLine {
  onRunComplete(_contexts: unknown, results: RunResults): void {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests + results.numTodoTests} skipped\n`;
    // Jest's own summary comes after all other reporters, and the teardown after that.
    process.once('exit', () => process.stdout.write(line));
  }
}
