{{/* What the operator does in a namespace that it mirrors. `npm test` compares this with what it asked of the control planes. */}}
{{- define "fairlead.mirrorRules" -}}
{{- if .Values.mirror.observe -}}
- apiGroups: [fairlead.dev]
  resources: [connectiontypes, enrollments]
  verbs: [list, watch]
{{- else -}}
# Specs and finalizers of manifests, and mirrors as a whole. Server-side apply takes `create` and `patch`.
- apiGroups: [fairlead.dev]
  resources: [connectiontypes, enrollments]
  verbs: [list, watch, create, update, patch, delete]
- apiGroups: [fairlead.dev]
  resources: [connectiontypes/status, enrollments/status]
  verbs: [patch]
# By name, and only those that manifests name; others than those labelled fairlead.dev/credential aren't used. Never a list.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
{{- end -}}

{{- define "fairlead.mirrorSubject" -}}
- kind: ServiceAccount
  name: {{ include "fairlead.serviceAccountName" (dict "root" . "component" "operator") }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
