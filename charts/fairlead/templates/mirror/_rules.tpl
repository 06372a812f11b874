{{/* What the operator does in a namespace that it mirrors. `npm test` compares this with what it asked of the control planes. */}}
{{- define "fairlead.mirrorRules" -}}
{{- if .Values.mirror.observe -}}
- apiGroups: [fairlead.dev]
  resources: [connectiontypes, enrollments]
  verbs: [list, watch]
{{- else -}}
# Finalizers of manifests, and mirrors. Server-side apply takes `create` and `patch`.
- apiGroups: [fairlead.dev]
  resources: [connectiontypes, enrollments]
  verbs: [list, watch, create, patch, delete]
# What others added to a mirror is taken out by writing it whole. To an enrollment's there is nothing to add.
- apiGroups: [fairlead.dev]
  resources: [connectiontypes]
  verbs: [update]
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
