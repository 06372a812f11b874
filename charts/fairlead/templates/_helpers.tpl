{{/* The name that all others begin with. */}}
{{- define "fairlead.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of what isn't in a namespace: two releases of one name in two namespaces must not share it. */}}
{{- define "fairlead.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "fairlead.fullname" .) | trunc 56 | trimSuffix "-" -}}
{{- end -}}

{{/* By which pods are found: never changes. Takes the root and a component. */}}
{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fairlead
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "fairlead.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The service account of a component (api or operator). */}}
{{- define "fairlead.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "fairlead.fullname" .root) .component) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* A setting's text. YAML makes a boolean of `on`, and Helm a float of a number. */}}
{{- define "fairlead.settingText" -}}
{{- if kindIs "bool" . -}}
{{- ternary "on" "off" . -}}
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "slice" . -}}
{{- join "," . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* What both programs are told: a YAML map of settings. */}}
{{- define "fairlead.settings" -}}
{{- $values := .Values -}}
HOST: "0.0.0.0"
PORT: "4000"
FAIRLEAD_METRICS_PORT: "9464"
FAIRLEAD_PUBLIC_URL: {{ $values.publicUrl | quote }}
FAIRLEAD_MIGRATE: {{ ternary "off" "auto" $values.migration.job | quote }}
FAIRLEAD_SHUTDOWN_TIMEOUT_MS: {{ mul 1000 (int $values.shutdownSeconds) | quote }}
{{- with $values.traces.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- with $values.oidc }}
FAIRLEAD_OIDC_ISSUER: {{ .issuer | quote }}
FAIRLEAD_OIDC_AUDIENCE: {{ .audience | quote }}
FAIRLEAD_OIDC_SUBJECT_CLAIM: {{ .subjectClaim | quote }}
FAIRLEAD_OIDC_NAME_CLAIM: {{ .nameClaim | quote }}
{{- with .clientId }}
FAIRLEAD_OIDC_CLIENT_ID: {{ . | quote }}
{{- end }}
{{- with .groupsClaim }}
FAIRLEAD_OIDC_GROUPS_CLAIM: {{ . | quote }}
{{- end }}
{{- with .groups }}
FAIRLEAD_OIDC_GROUPS: {{ join "," . | quote }}
{{- end }}
{{- with .admins }}
FAIRLEAD_OIDC_ADMINS: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := $values.settings }}
{{ $name }}: {{ include "fairlead.settingText" $value | quote }}
{{- end }}
{{- end -}}

{{/* What pods have in common. Takes the root. */}}
{{- define "fairlead.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "fairlead.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "fairlead.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where pods go. Takes the root and a component. */}}
{{- define "fairlead.scheduling" -}}
{{- $pods := index .root.Values .component -}}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $pods.topologySpreadConstraints }}
  {{- toYaml $pods.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "fairlead.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{/* Secrets are files: they aren't in the environment, and a key ring is read again when it changes. Takes the root and a list of {name, secret, key, setting}. */}}
{{- define "fairlead.secretEnv" -}}
{{- range .secrets }}
- name: {{ .setting }}_FILE
  value: /run/secrets/fairlead/{{ .name }}/{{ .key }}
{{- end }}
{{- end -}}

{{- define "fairlead.secretMounts" -}}
{{- range .secrets }}
- name: {{ .name }}
  mountPath: /run/secrets/fairlead/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "fairlead.secretVolumes" -}}
{{- range .secrets }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      - key: {{ .key }}
        path: {{ .key }}
{{- end }}
{{- end -}}

{{/* The secrets of a program, as YAML. Takes the root and a component. */}}
{{- define "fairlead.secrets" -}}
{{- $values := .root.Values -}}
secrets:
  - {name: database, secret: {{ $values.database.existingSecret | quote }}, key: {{ $values.database.key | quote }}, setting: DATABASE_URL}
  - {name: keys, secret: {{ $values.keys.existingSecret | quote }}, key: {{ $values.keys.key | quote }}, setting: FAIRLEAD_KEYS}
{{- if and (eq .component "api") $values.oidc.existingSecret }}
  - {name: oidc, secret: {{ $values.oidc.existingSecret | quote }}, key: {{ $values.oidc.key | quote }}, setting: FAIRLEAD_OIDC_CLIENT_SECRET}
{{- end }}
{{- if $values.traces.existingSecret }}
  - {name: traces, secret: {{ $values.traces.existingSecret | quote }}, key: {{ $values.traces.key | quote }}, setting: OTEL_EXPORTER_OTLP_HEADERS}
{{- end }}
{{- end -}}

{{/* How the operator's mirror is told what to do: for the operator, and for the job that lets manifests go. */}}
{{- define "fairlead.mirrorEnv" -}}
- name: FAIRLEAD_LEASE_NAMESPACE
  value: {{ .Release.Namespace }}
{{- with .Values.mirror.namespaces }}
- name: FAIRLEAD_MIRROR_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- end -}}

{{/* Refuses values that contradict each other; what one value alone can be is in values.schema.json. */}}
{{- define "fairlead.check" -}}
{{- $mirror := .Values.mirror -}}
{{- if and $mirror.enabled (not $mirror.namespaces) (not $mirror.clusterWide) -}}
{{- fail "\n\nmirror.namespaces is empty: name the namespaces whose ConnectionTypes and Enrollments the operator is to follow, or set mirror.clusterWide=true for all of them, or mirror.enabled=false for none." -}}
{{- end -}}
{{- if and $mirror.namespaces $mirror.clusterWide -}}
{{- fail "\n\nmirror.clusterWide follows all namespaces: leave mirror.namespaces empty then, or name namespaces and set mirror.clusterWide=false." -}}
{{- end -}}
{{- $account := .Values.operator.serviceAccount -}}
{{- if and $mirror.enabled .Values.rbac.create (not $account.create) (not $account.name) -}}
{{- fail "\n\noperator.serviceAccount.create=false without a name gives the operator's rights, reading Secrets among them, to the account `default`, which all pods of the namespace have that name none: set operator.serviceAccount.name." -}}
{{- end -}}
{{- if and .Values.oidc.existingSecret (not .Values.oidc.clientId) -}}
{{- fail "\n\noidc.existingSecret is the secret of a client: set oidc.clientId too." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not (has (urlParse .Values.publicUrl).path (list "" "/"))) -}}
{{- fail "\n\npublicUrl has a path, which has to be taken off before requests reach the API: how, differs between Ingress controllers. Set ingress.enabled=false and make an Ingress of your own." -}}
{{- end -}}
{{- if and .Values.oidc.groups (not .Values.oidc.groupsClaim) -}}
{{- fail "\n\noidc.groups needs to know where groups are: set oidc.groupsClaim." -}}
{{- end -}}
{{- end -}}
