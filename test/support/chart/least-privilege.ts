import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { GO_VARIABLE, needOf } from '../control-plane/needs.js';
import { notedOperatorRequests } from '../control-plane/operator-requests.js';
import { OPERATOR_PLACE, valuesWithMirror } from './given-rights.js';
import { compareRights, givenRights, sayRight } from './rights.js';
import { render } from './tools.js';

/** What is used of jest's results. */
interface RunResults {
  testResults: { testFilePath: string; testResults: { status: string; ancestorTitles: string[] }[] }[];
}

const MIRROR_SPEC = /^mirror.*\.spec\.js$/;

/**
 * A reporter that compares what operators asked of the control planes in this run with the rights that the chart gives them, and fails the run where they differ: what was asked must be
 * given, and, if the whole suite of the mirror ran, what is given must have been asked.
 */
export default class LeastPrivilege {
  #error: Error | undefined;

  async onRunComplete(_contexts: unknown, results: RunResults): Promise<void> {
    const asked = notedOperatorRequests();
    if (asked.length === 0) return;
    if (process.env[GO_VARIABLE] !== 'yes') return say('the operator\'s requests were not compared with the chart\'s rights, for want of Go');
    const given = givenRights(await render(valuesWithMirror({ clusterWide: true }), { namespace: OPERATOR_PLACE.namespace }), OPERATOR_PLACE);
    const { outside, unused } = compareRights(asked, given);
    const whole = ranWhole(results);
    const faults = [...outside.map((right) => `the operator asked for what the chart doesn't give: ${sayRight(right)}`), ...(whole ? unused.map((right) => `the chart gives what the operator never asked for: ${sayRight(right)}`) : [])];
    for (const fault of faults) say(fault);
    if (faults.length > 0) this.#error = new Error(`Least privilege: ${faults.length} difference(s) between the operator's requests and charts/fairlead/templates/mirror`);
    else say(`${asked.length} different requests of operators, all within the ${given.length} rights that the chart gives${whole ? ', and none of those unused' : ' (not all of the mirror\'s tests ran: whether all are used wasn\'t asked)'}`);
  }

  /** Jest ends with a failure if there is one. */
  getLastError(): Error | undefined {
    return this.#error;
  }
}

/** Whether every spec of the mirror ran, whole and well. Those that need a real kube-apiserver may be left out: they ask for nothing else. */
function ranWhole({ testResults }: RunResults): boolean {
  const there = readdirSync(new URL('../../integration', import.meta.url)).filter((name) => MIRROR_SPEC.test(name));
  const whole = testResults.filter(({ testResults: tests }) => tests.some(({ status }) => status === 'passed') && tests.every(({ status, ancestorTitles }) => status === 'passed' || needOf(ancestorTitles) === 'apiserver'));
  const ran = whole.map(({ testFilePath }) => basename(testFilePath));
  return there.every((name) => ran.includes(name));
}

function say(line: string): void {
  process.stdout.write(`Least privilege: ${line}\n`);
}
