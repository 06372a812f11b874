import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '#core/config/config.js';
import type { Mode } from '#core/config/keys.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { metricsOfAllPrograms } from '#test/support/metrics.js';
import { askChartTools, CHART, CHART_TIMEOUT_MS, helm, parseAll, render, renderText, type KubeObject } from '#test/support/chart/tools.js';

interface Decoded { kind: string; fault: string; notRestricted: string }
type Container = { args?: string[]; env?: { name: string; value?: string }[]; envFrom?: { configMapRef: { name: string } }[]; ports?: { name: string }[]; command?: string[] };

const valuesOf = (name: string) => readFileSync(`${CHART}/ci/${name}-values.yaml`, 'utf8');
const FILES = readdirSync(`${CHART}/ci`).map((file) => file.replace(/-values\.yaml$/, '')).sort();
const MINIMAL = valuesOf('minimal');

describeNeeding('go', 'the chart', () => {
  const rendered = new Map<string, { text: string; objects: KubeObject[] }>();
  beforeAll(async () => {
    for (const name of FILES) {
      const text = await renderText(valuesOf(name));
      rendered.set(name, { text, objects: parseAll(text) });
    }
  }, CHART_TIMEOUT_MS);

  const objects = (name: string) => rendered.get(name)!.objects;
  const find = (name: string, kind: string, object: string) => objects(name).find((one) => one.kind === kind && one.metadata.name === object)!;
  const podOf = ({ kind, spec }: KubeObject) => (kind === 'Pod' ? spec : spec.template.spec) as KubeObject['spec'];
  const withPods = (name: string) => objects(name).filter(({ kind }) => ['Deployment', 'Job', 'Pod'].includes(kind));
  const selects = (selector: Record<string, string>, labels: Record<string, string>) => Object.entries(selector).every(([key, value]) => labels[key] === value);

  describe.each(FILES.map((name) => [name]))('with the values of %s', (name) => {
    it('passes helm lint --strict', async () => {
      const { exitCode, stdout, stderr } = await helm(['lint', '--strict', CHART, '-f', `${CHART}/ci/${name}-values.yaml`]);
      expect([exitCode, stderr, stdout.match(/^\[(WARNING|ERROR)\].*$/gm)]).toEqual([0, '', null]);
    });

    it('is made of objects of their kinds, to the letter, whose pods are restricted', async () => {
      const decoded = await askChartTools<Decoded[]>('decode', rendered.get(name)!.text);
      expect(decoded.length).toBe(objects(name).length);
      expect(decoded.filter(({ fault, notRestricted }) => fault !== '' || notRestricted !== '')).toEqual([]);
    });

    it('keeps every object in a namespace that it names, and makes no Secret', () => {
      const clusterWide = ['ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'];
      const places = objects(name).filter(({ kind }) => !clusterWide.includes(kind)).map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? 'nowhere'}`);
      expect(places.filter((place) => !/ (fairlead|logistics|finance)$/.test(place))).toEqual([]);
      expect(places.filter((place) => / (logistics|finance)$/.test(place)).every((place) => /^Role(Binding)? /.test(place))).toBe(true);
      expect(places.some((place) => place.startsWith('Secret '))).toBe(false);
    });

    it('hands a token to nobody but the operator, and only for a mirror', () => {
      const mounted = withPods(name).filter((object) => podOf(object).automountServiceAccountToken !== false).map(({ metadata }) => metadata.labels!['app.kubernetes.io/component']);
      expect(mounted).toEqual({ 'no-mirror': [], observe: ['operator'] }[name] ?? ['operator', 'release']);
    });

    it('has read-only roots, limits of memory, no service links, and images by digest or by tag', () => {
      for (const object of withPods(name)) {
        const pod = podOf(object);
        expect(pod.enableServiceLinks).toBe(false);
        for (const container of pod.containers) {
          expect([container.securityContext.readOnlyRootFilesystem, container.securityContext.allowPrivilegeEscalation]).toEqual([true, false]);
          expect(container.resources.limits.memory).toMatch(/^\d+Mi$/);
          expect(container.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
          expect(container.image).toMatch({ full: /@sha256:[0-9a-f]{64}$/, 'cluster-wide': /:1\.2\.3$/ }[name] ?? /:0\.1\.0$/);
        }
      }
    });

    it('leads every selector and every port to pods that are there', () => {
      const pods = objects(name).flatMap((object) => (object.kind === 'Pod' ? [{ labels: object.metadata.labels!, containers: object.spec.containers as Container[] }]
        : ['Deployment', 'Job'].includes(object.kind) ? [{ labels: object.spec.template.metadata.labels as Record<string, string>, containers: object.spec.template.spec.containers as Container[] }] : []));
      const found = (selector: Record<string, string>) => pods.filter(({ labels }) => selects(selector, labels));
      const portsOf = (selector: Record<string, string>) => found(selector).flatMap(({ containers }) => containers.flatMap(({ ports = [] }) => ports.map((port) => port.name)));
      for (const { kind, spec, metadata } of objects(name)) {
        if (kind === 'Deployment') expect(selects(spec.selector.matchLabels, spec.template.metadata.labels)).toBe(true);
        if (kind === 'PodDisruptionBudget') expect(found(spec.selector.matchLabels)).toHaveLength(1);
        if (kind === 'Service') for (const port of spec.ports) expect(portsOf(spec.selector)).toContain(port.targetPort);
        if (kind === 'NetworkPolicy') {
          expect([metadata.name, found(spec.podSelector.matchLabels).length]).toEqual([metadata.name, 1]);
          for (const rule of spec.ingress ?? []) for (const { port } of rule.ports) expect(portsOf(spec.podSelector.matchLabels)).toContain(port);
        }
        if (kind === 'ServiceMonitor') {
          const services = objects(name).filter((one) => one.kind === 'Service' && selects(spec.selector.matchLabels, one.metadata.labels!));
          expect(services.map((service) => service.spec.ports.map((port: { name: string }) => port.name))).toEqual([[spec.endpoints[0].port]]);
        }
      }
    });
  });

  describe('the settings of a container', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-chart-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    const SECRETS: Record<string, string> = { DATABASE_URL: 'postgres://fairlead:x@db/fairlead', FAIRLEAD_KEYS: `k1:${randomBytes(32).toString('base64')}`, FAIRLEAD_OIDC_CLIENT_SECRET: 'x', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' };

    /** What the container finds in its environment, with its secrets in a folder of the test's. */
    const environmentOf = (name: string, { env = [], envFrom = [] }: Container): Record<string, string> => {
      const settings = envFrom.map(({ configMapRef }) => find(name, 'ConfigMap', configMapRef.name)['data'] as Record<string, string>);
      const given = Object.fromEntries(env.map((one) => {
        if (!one.name.endsWith('_FILE')) return [one.name, one.value!];
        const path = join(folder, one.value!);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, SECRETS[one.name.replace(/_FILE$/, '')]!);
        return [one.name, path];
      }));
      return { ...Object.assign({}, ...settings), ...given };
    };

    it.each(FILES.flatMap((name) => ['api', 'operator', 'migration', 'release'].map((component) => [component, name])))('of the %s with the values of %s are what the program takes', (component, name) => {
      const object = withPods(name).find(({ metadata }) => metadata.labels!['app.kubernetes.io/component'] === component);
      if (object === undefined) return expect([component, name]).toEqual(expect.arrayContaining([expect.stringMatching(/^(migration|release)$/)]));
      const container = podOf(object).containers[0] as Container;
      expect(container.args).toEqual({ api: ['api'], operator: ['operator'], migration: ['migrate'], release: ['mirror', 'release'] }[component]);
      const config = loadConfig(environmentOf(name, container), ({ migration: 'migrate', release: 'mirror' }[component] ?? component) as Mode);
      if (component === 'api' || component === 'operator') {
        expect(config).toMatchObject({ host: '0.0.0.0', port: 4000, metrics: { host: '0.0.0.0', port: 9464 }, publicUrl: 'https://fairlead.example.com', migrateOnStart: name === 'cluster-wide' });
        expect(podOf(object).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(config.shutdownTimeoutMs / 1000 + 20);
      }
      if (component === 'operator') {
        const namespaces = { full: ['logistics', 'finance'], 'cluster-wide': null }[name];
        expect(config.mirror).toEqual(name === 'no-mirror' ? null : expect.objectContaining({ mode: name === 'observe' ? 'observe' : 'on', leaseNamespace: 'fairlead', namespaces: namespaces === undefined ? ['logistics'] : namespaces }));
      }
      return undefined;
    });

    it('are passed on as they were meant: a switch, a large number, a fraction, a list', () => {
      expect(find('full', 'ConfigMap', 'lines-settings')['data']).toMatchObject({
        FAIRLEAD_INTROSPECTION: 'on', FAIRLEAD_TRACE_PROPAGATION: 'on', FAIRLEAD_BODY_LIMIT_BYTES: '2097152', OTEL_TRACES_SAMPLER_ARG: '0.25', FAIRLEAD_EGRESS_ALLOW: 'mcp.internal:8080,10.20.0.0/16',
      });
    });

    it('that change start new pods', async () => {
      const sums = async (set: string) => (await render(MINIMAL, { args: ['--set', set] })).filter(({ kind }) => kind === 'Deployment').map(({ spec }) => spec.template.metadata.annotations['checksum/settings']);
      const [one, other] = [await sums('settings.FAIRLEAD_LOG_LEVEL=info'), await sums('settings.FAIRLEAD_LOG_LEVEL=debug')];
      expect([one[0] === one[1], one[0] === other[0]]).toEqual([true, false]);
    });
  });

  it.each([
    ['mirror.namespaces=null', /mirror\.namespaces is empty: name the namespaces .* or set mirror\.clusterWide=true/],
    ['mirror.clusterWide=true', /mirror\.clusterWide follows all namespaces/],
    ['oidc.existingSecret=x', /set oidc\.clientId too/],
    ['oidc.groups={a=b:MEMBER}', /set oidc\.groupsClaim/],
    ['ingress.enabled=true,publicUrl=https://example.com/below', /publicUrl has a path/],
    ['image.repository=', /image\/repository|image\.repository/],
    ['image.digest=sha256:12', /digest/],
    ['database.existingSecret=', /database/],
    ['publicUrl=fairlead.example.com', /publicUrl/],
    ['settings.DATABASE_URL=postgres://x', /settings/],
    ['settings.FAIRLEAD_KEYS=k1:x', /settings/],
    ['settings.FAIRLEAD_OIDC_CLIENT_SECRET=x', /settings/],
    ['settings.FAIRLEAD_LOGLEVEL=debug', /settings/],
    ['api.replica=3', /api/],
    ['extraEnv[0].name=FAIRLEAD_KEYS,extraEnv[0].value=x', /extraEnv/],
    ['extraEnv[0].name=DATABASE_URL,extraEnv[0].value=x', /extraEnv/],
    ['extraEnv[0].name=PORT,extraEnv[0].value=8080', /extraEnv/],
    ['fullnameOverride=Fairlead_1', /fullnameOverride/],
    ['nameOverride=1st', /nameOverride/],
    ['operator.serviceAccount.create=false', /the account `default`.*: set operator\.serviceAccount\.name/],
  ])('refuses %s in words', async (set, words) => {
    await expect(render(MINIMAL, { args: ['--set', set] })).rejects.toThrow(words);
  });

  it('describes every value in its schema, and has every value that the schema knows', () => {
    const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as { properties: Record<string, { properties?: Record<string, never> }> };
    const paths = (properties: Record<string, { properties?: Record<string, never> }>, above = ''): string[] => Object.entries(properties).flatMap(([key, { properties: below }]) => (below === undefined ? [`${above}${key}`] : paths(below, `${above}${key}.`)));
    const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8')) as Record<string, unknown>;
    const missing = paths(schema.properties).filter((path) => path !== 'global' && path !== 'settings' && path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values) === undefined);
    // In lists.
    expect(missing).toEqual([]);
  });

  it('is of the version of the program', () => {
    const { version, appVersion } = parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8')) as { version: string; appVersion: string };
    expect([version, appVersion]).toEqual(Array(2).fill((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version));
  });

  it('has the CRDs of schema/crds, kept at the end unless they aren\'t to be', () => {
    for (const name of ['connectiontypes.fairlead.dev', 'enrollments.fairlead.dev']) {
      const { metadata, ...rest } = find('minimal', 'CustomResourceDefinition', name);
      const { metadata: original, ...generated } = parse(readFileSync(`schema/crds/${name}.yaml`, 'utf8')) as KubeObject;
      expect(rest).toEqual(generated);
      expect([metadata.name, metadata.annotations]).toEqual([original.name, { 'helm.sh/resource-policy': 'keep' }]);
      expect(find('cluster-wide', 'CustomResourceDefinition', name).metadata.annotations).toBeUndefined();
    }
  });

  it('migrates before anything of a new version starts, by what needs nothing of the release', () => {
    const hooks = objects('minimal').filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'pre-install,pre-upgrade');
    const job = hooks.find(({ kind }) => kind === 'Job')!;
    expect(hooks.map(({ kind, metadata }) => [kind, Number(metadata.annotations!['helm.sh/hook-weight'])]).sort()).toEqual([['Job', 0], ['NetworkPolicy', -10], ['ServiceAccount', -10]]);
    expect(hooks.some(({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === job.spec.template.spec.serviceAccountName)).toBe(true);
    expect(JSON.stringify(job)).not.toContain('configMap');
  });

  it('leaves the number of API pods to its autoscaler, and states it without one', () => {
    expect(find('full', 'Deployment', 'lines-api').spec.replicas).toBeUndefined();
    expect(find('full', 'HorizontalPodAutoscaler', 'lines-api').spec.scaleTargetRef.name).toBe('lines-api');
    expect(find('minimal', 'Deployment', 'fairlead-api').spec.replicas).toBe(2);
  });

  it('says at the end what is to be done', async () => {
    // Helm shows notes only where there is a cluster: here they are rendered as an object of a copy.
    const copy = mkdtempSync(join(tmpdir(), 'fairlead-notes-'));
    cpSync(CHART, copy, { recursive: true });
    renameSync(`${copy}/templates/NOTES.txt`, `${copy}/notes`);
    writeFileSync(`${copy}/templates/notes.yaml`, 'text: |-\n{{ tpl (.Files.Get "notes") . | indent 2 }}\n');
    const notes = async (name: string) => {
      const { exitCode, stdout, stderr } = await helm(['template', 'fairlead', copy, '--namespace', 'fairlead', '--show-only', 'templates/notes.yaml', '-f', '-'], valuesOf(name));
      expect([exitCode, stderr]).toEqual([0, '']);
      return (parse(stdout) as { text: string }).text;
    };
    const minimal = await notes('minimal');
    for (const words of ['for https://fairlead.example.com', 'Lead https://', 'oidc.clientId is empty', 'logistics: this namespace is mirrored', 'kubectl label namespace', 'ports 443, 6443 of any address']) expect(minimal).toContain(words);
    expect(await notes('full')).toMatch(/logistics, finance: these namespaces are mirrored/);
    expect(await notes('full')).not.toMatch(/^!|^Lead/m);
    expect(await notes('no-mirror')).toContain('The mirror is off');
    expect(await notes('observe')).toContain('only observes');
    rmSync(copy, { recursive: true });
  });

  it('alerts by metrics that there are, and leads to runbooks that there are', () => {
    const rules = find('full', 'PrometheusRule', 'lines').spec.groups[0].rules as { alert: string; expr: string; annotations: { runbook_url?: string } }[];
    expect(rules.length).toBeGreaterThan(8);
    const there = metricsOfAllPrograms();
    const used = rules.flatMap(({ expr }) => [...expr.matchAll(/\b((?:fairlead|controller_runtime|workqueue|process|nodejs)_[a-z0-9_]+)\{/g)].map((match) => match[1]!.replace(/_(bucket|sum|count)$/, '')));
    expect(used.length).toBeGreaterThanOrEqual(rules.length);
    expect(used.filter((name) => !there.has(name))).toEqual([]);
    const headings = [...readFileSync('docs/operations.md', 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!.toLowerCase().replaceAll(/[^a-z0-9 -]/g, '').replaceAll(' ', '-'));
    const anchors = rules.flatMap(({ annotations }) => (annotations.runbook_url === undefined ? [] : [annotations.runbook_url.replace(/^.*#/, '')]));
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
  });
});
