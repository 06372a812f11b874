import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { chooseControlPlane, CONTROL_PLANE_PROGRAM, controlPlaneCache } from '#cli/control-plane/control-plane.js';
import { buildGoProgram, type GoProgram } from '#cli/control-plane/go-program.js';

/** An object of Kubernetes, as it is written. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  // eslint-disable-next-line typescript/no-explicit-any -- tests look into objects of any kind
  [field: string]: any;
}

const FOLDER = fileURLToPath(new URL('../../../../test/chart-tools', import.meta.url));
const HELM = 'helm.sh/helm/v3';

/** Helm itself, of the version that test/chart-tools/go.mod names; told as its releases are which Kubernetes it is for. */
export const HELM_PROGRAM: GoProgram = {
  name: 'helm', folder: FOLDER, target: `${HELM}/cmd/helm`,
  linkerFlags: ['-s -w', ...['pkg/chartutil', 'pkg/lint/rules'].flatMap((at) => [`-X ${HELM}/${at}.k8sVersionMajor=1`, `-X ${HELM}/${at}.k8sVersionMinor=36`])].join(' '),
};

/** What asks the Kubernetes project's own libraries (test/chart-tools). */
export const CHART_TOOLS_PROGRAM: GoProgram = { name: 'chart-tools', folder: FOLDER, target: '.', linkerFlags: '-s -w' };

/** The chart, from the root of the repository. */
export const CHART = 'charts/fairlead';

/** For the `beforeAll` that needs the tools: they may have to be built first. */
export const CHART_TIMEOUT_MS = 15 * 60_000;

/** What a program said, and how it ended. */
export interface Said {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Runs Helm. @param kubeconfig a cluster's, where one is asked */
export async function helm(args: readonly string[], input = '', kubeconfig = '/nonexistent'): Promise<Said> {
  // It looks for plug-ins and repositories in folders of the user's.
  return run(await built(HELM_PROGRAM), args, input, { HELM_CACHE_HOME: '/nonexistent', HELM_CONFIG_HOME: '/nonexistent', HELM_DATA_HOME: '/nonexistent', KUBECONFIG: kubeconfig });
}

/** What `helm template` makes of the chart. Throws with Helm's words. @param values as `-f` would read them @param args more, as `--set` */
export async function render(values: string, { namespace = 'fairlead', release = 'fairlead', args = [] }: { namespace?: string; release?: string; args?: readonly string[] } = {}): Promise<KubeObject[]> {
  return parseAll(await renderText(values, { namespace, release, args }));
}

/** As {@link render}, as text. */
export async function renderText(values: string, { namespace = 'fairlead', release = 'fairlead', args = [] }: { namespace?: string; release?: string; args?: readonly string[] } = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await helm(['template', release, CHART, '--namespace', namespace, '-f', '-', ...args], values);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}

/** The objects of a YAML stream. */
export function parseAll(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null).filter((object) => object !== null);
}

/** Asks test/chart-tools. Throws with its words. */
export async function askChartTools<T>(command: 'decode' | 'policy' | 'health', input: string): Promise<T> {
  const { exitCode, stdout, stderr } = await run(await built(CHART_TOOLS_PROGRAM), [command], input);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

/** After the control plane, which has most packages in common with it: two builds at once would compile them twice. */
async function built(program: GoProgram): Promise<string> {
  const options = { cacheFolder: controlPlaneCache(process.env), say: (line: string) => void process.stderr.write(`${line}\n`), now: () => new Date() };
  if ((await chooseControlPlane(process.env)).kind === 'library') await buildGoProgram(CONTROL_PLANE_PROGRAM, options);
  return buildGoProgram(program, options);
}

function run(binary: string, args: readonly string[], input: string, env: Record<string, string> = {}): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>();
  const child = spawn(binary, args, { stdio: 'pipe', env: { ...process.env, ...env } });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said.stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said.stderr += text; });
  // Who doesn't read its input has said why.
  child.stdin.on('error', () => undefined);
  child.once('error', reject);
  child.once('close', (exitCode) => resolve({ exitCode, ...said }));
  child.stdin.end(input);
  return promise;
}
