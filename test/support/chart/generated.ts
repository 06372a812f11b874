import { readFileSync } from 'node:fs';
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { KEYS, type KeyDefinition } from '#core/config/keys.js';
import { crdDocument } from '#operator/manifest/crd.js';
import type { MirroredKind } from '#operator/manifest/resources.js';

/** What is generated of the chart. Files that are written by hand for the rest are read, and the generated part of them is replaced. */

/** Settings that the chart makes of values of its own, or of what it is. */
export const SET_BY_THE_CHART: readonly string[] = [
  'FAIRLEAD_CONFIG', 'HOST', 'PORT', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_STATE_DIR', 'FAIRLEAD_MIGRATE', 'FAIRLEAD_SHUTDOWN_TIMEOUT_MS', 'FAIRLEAD_METRICS_PORT', 'FAIRLEAD_METRICS_HOST',
  'FAIRLEAD_OIDC_ISSUER', 'FAIRLEAD_OIDC_AUDIENCE', 'FAIRLEAD_OIDC_SUBJECT_CLAIM', 'FAIRLEAD_OIDC_NAME_CLAIM', 'FAIRLEAD_OIDC_GROUPS_CLAIM', 'FAIRLEAD_OIDC_GROUPS', 'FAIRLEAD_OIDC_ADMINS', 'FAIRLEAD_OIDC_CLIENT_ID',
  'FAIRLEAD_MIRROR', 'FAIRLEAD_KUBECONFIG', 'FAIRLEAD_MIRROR_NAMESPACES', 'FAIRLEAD_MIRROR_GRACE_SECONDS', 'FAIRLEAD_LEASE_NAMESPACE', 'OTEL_EXPORTER_OTLP_ENDPOINT',
];

/** The chart's CRD: that of `schema/crds`, to be installed or not, and to be kept or not. */
export function chartCrd(kind: MirroredKind): string {
  // What Helm would take for its own is text.
  const text = crdDocument(kind).replaceAll('{{', '{{ "{{" }}');
  const [head, name, rest] = splitAtName(text);
  return [
    '{{- if .Values.crds.enabled }}', head, name,
    '  labels:', '    {{- include "fairlead.labels" (dict "root" . "component" "crds") | nindent 4 }}',
    '  {{- if or .Values.crds.keep .Values.crds.annotations }}', '  annotations:',
    '    {{- if .Values.crds.keep }}', '    helm.sh/resource-policy: keep', '    {{- end }}',
    '    {{- with .Values.crds.annotations }}', '    {{- toYaml . | nindent 4 }}', '    {{- end }}', '  {{- end }}',
    rest.trimEnd(), '{{- end }}', '',
  ].join('\n');
}

function splitAtName(text: string): [string, string, string] {
  const lines = text.split('\n');
  const at = lines.findIndex((line, index) => /^ {2}name: /.test(line) && lines[index - 1] === 'metadata:');
  if (at < 0) throw new Error('A CRD without metadata.name on a line of its own.');
  return [lines.slice(0, at).join('\n'), lines[at]!, lines.slice(at + 1).join('\n')];
}

/** `values.schema.json` with the settings that may be given as they are. */
export function valuesSchema(): string {
  const schema = JSON.parse(readFileSync('charts/fairlead/values.schema.json', 'utf8')) as { $defs: { settings: unknown } };
  const given = Object.entries(KEYS).filter(([name, definition]: [string, KeyDefinition]) => definition.secret !== true && !SET_BY_THE_CHART.includes(name));
  schema.$defs.settings = {
    $comment: 'Generated from core/config/keys.ts by `npm run generate:chart`.', type: 'object', additionalProperties: false,
    properties: Object.fromEntries(given.map(([name, { description, expects }]) => [name, { type: ['string', 'number', 'boolean', 'array'], description: `${description} Expects ${expects}.` }])),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

const BEGIN = '<!-- Generated from values.yaml by `npm run generate:chart`. -->';
const END = '<!-- End of what is generated. -->';

/** The chart's README with a table of its values. */
export function chartReadme(): string {
  const text = readFileSync('charts/fairlead/README.md', 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`charts/fairlead/README.md has no part between ${BEGIN} and ${END}.`);
  const rows = describedValues(readFileSync('charts/fairlead/values.yaml', 'utf8')).map(({ path, value, description }) => `| \`${path}\` | ${description} | \`${JSON.stringify(value)}\` |`);
  return `${text.slice(0, from)}${BEGIN}\n| value | what it is | default |\n|---|---|---|\n${rows.join('\n')}\n${text.slice(to)}`;
}

/** A value of the chart that stands in the README. */
export interface DescribedValue {
  path: string;
  value: unknown;
  description: string;
}

/** Every value with a comment `# -- …` before it, in order. Throws where one has none. */
export function describedValues(text: string): DescribedValue[] {
  const found: DescribedValue[] = [];
  const walk = (map: YAMLMap, above: string): void => {
    for (const [index, { key, value }] of map.items.entries()) {
      if (!isScalar(key)) throw new Error(`${above} has a key that is no text.`);
      const path = `${above}${String(key.value)}`;
      // The comment before the first key of a map belongs to the map.
      const comment = [...(index === 0 ? [map.commentBefore] : []), key.commentBefore].filter((one) => one != null).join('\n').split('\n').map((line) => line.trim()).filter((line) => line.startsWith('-- '));
      if (comment.length > 0) found.push({ path, value: isScalar(value) ? value.value : (value as { toJSON(): unknown }).toJSON(), description: comment.at(-1)!.slice(3).replaceAll('|', '\\|') });
      else if (isMap(value) && value.items.length > 0) walk(value, `${path}.`);
      else throw new Error(`charts/fairlead/values.yaml: ${path} has no description (# -- …).`);
    }
  };
  const { contents } = parseDocument(text);
  if (!isMap(contents)) throw new Error('charts/fairlead/values.yaml is no map.');
  walk(contents, '');
  return found;
}
