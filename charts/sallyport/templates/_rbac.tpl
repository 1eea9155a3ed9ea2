{{/* sallyport.rulesServed is what the controller reads and writes in each namespace that it serves. */}}
{{- define "sallyport.rulesServed" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [update]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{ include "sallyport.rulesReferred" . }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* sallyport.rulesReferred is what it reads where others refer to, each by its name. */}}
{{- define "sallyport.rulesReferred" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ if eq .Values.controller.secrets "get" }}[get]{{ else }}[list, watch]{{ end }}
{{- end -}}

{{/* sallyport.rulesOwn is for the namespace that it lives in. */}}
{{- define "sallyport.rulesOwn" -}}
{{- if not .Values.controller.disableLeaderElection }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ dig "election-id" (include "sallyport.election" .) .Values.controller.extraArgs }}]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [services]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* sallyport.rulesCluster is for what is in no namespace. */}}
{{- define "sallyport.rulesCluster" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
{{- if or (not (include "sallyport.publishService" .)) .Values.controller.enableTopologyAwareRouting }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end }}
{{- if and (not .Values.controller.scope.enabled) .Values.controller.scope.namespaceSelector }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- if eq (include "sallyport.certificates" .) "self" }}
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations]
  resourceNames: [{{ include "sallyport.webhook" . }}]
  verbs: [get, update]
{{- end }}
{{- end -}}
