{{/* Names and labels. They are those of the ingress-nginx chart, so that a release can be taken over by nameOverride. */}}

{{- define "sallyport.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "sallyport.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "sallyport.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "sallyport.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sallyport.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* sallyport.part is the name of an object: the full name, shortened, and a suffix. Wants (list $ "suffix"). */}}
{{- define "sallyport.part" -}}
{{- $suffix := index . 1 -}}
{{- printf "%s-%s" (include "sallyport.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix -}}
{{- end -}}

{{- define "sallyport.controller" -}}{{ include "sallyport.part" (list . .Values.controller.name) }}{{- end -}}
{{- define "sallyport.internal" -}}{{ include "sallyport.part" (list . (printf "%s-internal" .Values.controller.name)) }}{{- end -}}
{{- define "sallyport.webhook" -}}{{ include "sallyport.part" (list . .Values.controller.admissionWebhooks.name) }}{{- end -}}
{{- define "sallyport.webhookService" -}}{{ include "sallyport.part" (list . (printf "%s-%s" .Values.controller.name .Values.controller.admissionWebhooks.name)) }}{{- end -}}
{{- define "sallyport.backend" -}}{{ include "sallyport.part" (list . .Values.defaultBackend.name) }}{{- end -}}
{{- define "sallyport.proxier" -}}{{ include "sallyport.part" (list . "proxier") }}{{- end -}}
{{- define "sallyport.election" -}}{{ default (include "sallyport.part" (list . "leader")) .Values.controller.electionID }}{{- end -}}

{{- define "sallyport.selector" -}}
app.kubernetes.io/name: {{ include "sallyport.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* sallyport.labels are those of an object. Wants (list $ "component" extra…), where each extra is a map; what comes later wins, and the selector always. */}}
{{- define "sallyport.labels" -}}
{{- $ := index . 0 -}}
{{- $all := dict
  "helm.sh/chart" (printf "%s-%s" $.Chart.Name ($.Chart.Version | replace "+" "_"))
  "app.kubernetes.io/version" ($.Chart.AppVersion | toString)
  "app.kubernetes.io/part-of" (include "sallyport.name" $)
  "app.kubernetes.io/managed-by" $.Release.Service -}}
{{- range prepend (slice . 2) $.Values.commonLabels }}{{ $all = mergeOverwrite $all (deepCopy (default dict .)) }}{{ end -}}
{{- $own := include "sallyport.selector" $ | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/component" (index . 1) -}}
{{- toYaml (mergeOverwrite $all $own) -}}
{{- end -}}

{{/* sallyport.podLabels are those of pods. They have no version: pods know each other by their labels, before and after an upgrade. */}}
{{- define "sallyport.podLabels" -}}
{{- omit (include "sallyport.labels" . | fromYaml) "helm.sh/chart" "app.kubernetes.io/version" | toYaml -}}
{{- end -}}

{{/* sallyport.metadata is what begins an object. Wants a dict of root, name, component, and where there are any namespace, labels (a list of maps) and annotations. No namespace: the release's; "-": none. */}}
{{- define "sallyport.metadata" -}}
metadata:
  name: {{ .name }}
{{- $namespace := default (include "sallyport.namespace" .root) .namespace }}
{{- if ne $namespace "-" }}
  namespace: {{ $namespace }}
{{- end }}
  labels: {{- include "sallyport.labels" (concat (list .root .component) (default list .labels)) | nindent 4 }}
{{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "sallyport.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sallyport.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "sallyport.proxierAccount" -}}
{{- if .Values.proxier.serviceAccount.create -}}
{{- default (include "sallyport.proxier" .) .Values.proxier.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.proxier.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "sallyport.backendAccount" -}}
{{- if .Values.defaultBackend.serviceAccount.create -}}
{{- default (include "sallyport.part" (list . "backend")) .Values.defaultBackend.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.defaultBackend.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* sallyport.image wants (list $ image defaultTag). */}}
{{- define "sallyport.image" -}}
{{- $ := index . 0 -}}{{- $image := index . 1 -}}
{{- $repository := default (printf "%s/%s" (default $.Values.global.image.registry $image.registry) $image.image) $image.repository -}}
{{- $repository -}}
{{- $tag := default (index . 2) $image.tag -}}
{{- with $tag }}:{{ . }}{{ end -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* sallyport.containerSecurity wants (list image capabilities override). */}}
{{- define "sallyport.containerSecurity" -}}
{{- $image := index . 0 -}}
{{- with index . 2 -}}
{{- toYaml . -}}
{{- else -}}
runAsNonRoot: {{ $image.runAsNonRoot }}
runAsUser: {{ $image.runAsUser }}
runAsGroup: {{ $image.runAsGroup }}
allowPrivilegeEscalation: {{ $image.allowPrivilegeEscalation }}
readOnlyRootFilesystem: {{ $image.readOnlyRootFilesystem }}
{{- with $image.seccompProfile }}
seccompProfile: {{- toYaml . | nindent 2 }}
{{- end }}
capabilities:
  drop: [ALL]
{{- with index . 1 }}
  add: {{ toJson . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* sallyport.flags are the flags of a map: a list is one flag for each, and "" or null a flag alone. */}}
{{- define "sallyport.flags" -}}
{{- range $name, $value := . }}
{{- if kindIs "slice" $value }}
{{- range $value }}
- {{ printf "--%s=%v" $name . | quote }}
{{- end }}
{{- else if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $name }}
{{- else if kindIs "float64" $value }}
- {{ printf "--%s=%s" $name (toJson $value) | quote }}
{{- else }}
- {{ printf "--%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* sallyport.scheduling is where pods run. Wants (list $ values). */}}
{{- define "sallyport.scheduling" -}}
{{- $ := index . 0 -}}{{- $v := index . 1 -}}
{{- with $v.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with $v.topologySpreadConstraints }}
topologySpreadConstraints: {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}
