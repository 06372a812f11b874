import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

/** What can be said of the image where nothing builds one. */
describe('the Dockerfile', () => {
  const lines = readFileSync('Dockerfile', 'utf8').replaceAll('\\\n', ' ').split('\n');
  const words = (instruction: string) => lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.split(' ').slice(1));
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));

  it('copies what there is, and what .dockerignore lets through', () => {
    const sources = words('COPY').filter(([first]) => !first!.startsWith('--from=')).flatMap((args) => args.slice(0, -1));
    expect(sources.length).toBeGreaterThan(8);
    expect(sources.filter((source) => !existsSync(source) || !ignored.includes(source))).toEqual([]);
    expect(ignored.filter((name) => !sources.includes(name))).toEqual([]);
  });

  it('takes both stages from one base, which can be pinned by its digest', () => {
    expect(words('FROM').map(([image]) => image)).toEqual(['${NODE_IMAGE}', '${NODE_IMAGE}']);
  });

  it('runs the program as the user that the chart runs it as', () => {
    const { USER: [[user]], ENTRYPOINT: [entry] } = { USER: words('USER') as [string[]], ENTRYPOINT: words('ENTRYPOINT') as [string[]] };
    const chart = readFileSync('charts/fairlead/templates/_helpers.tpl', 'utf8');
    expect(user).toBe(`${/runAsUser: (\d+)/.exec(chart)![1]}:${/runAsGroup: (\d+)/.exec(chart)![1]}`);
    expect(existsSync(/"\/app\/(.*)"/.exec(entry.join(' '))![1]!)).toBe(true);
    const ports = ['api', 'operator'].flatMap((name) => [...readFileSync(`charts/fairlead/templates/${name}/deployment.yaml`, 'utf8').matchAll(/containerPort: (\d+)/g)].map((match) => match[1]!));
    expect(words('EXPOSE').flat()).toEqual([...new Set(ports)]);
  });
});

it('both Go modules of the tests have the same version of what they have in common: a build of one is most of the other\'s', () => {
  const versions = (folder: string) => new Map([...readFileSync(`test/${folder}/go.mod`, 'utf8').matchAll(/^\t([a-z]\S+) (v\S+)/gm)].map((match) => [match[1]!, match[2]!]));
  const [plane, chart] = [versions('control-plane'), versions('chart-tools')];
  const common = [...plane.keys()].filter((name) => chart.has(name));
  expect(common.length).toBeGreaterThan(60);
  expect(common.filter((name) => plane.get(name) !== chart.get(name)).map((name) => `${name}: ${plane.get(name)} and ${chart.get(name)}`)).toEqual([]);
});
