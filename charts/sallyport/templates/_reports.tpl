{{/* sallyport.reports says which values that were set have no counterpart here, a line for each, and ends the rendering where going on without one would be unsafe. */}}
{{- define "sallyport.reports" -}}
{{- $c := .Values.controller -}}
{{- with $c.customTemplate }}
{{- if or .configMapName .configMapKey }}
{{- fail "controller.customTemplate has no counterpart: nginx.conf is not made from a template of yours, and without it what that template enforces would be missing. Move what it does to controller.config and annotations, and remove the value" }}
{{- end }}
{{- end }}
{{- if regexMatch "(^|/)ingress-nginx/controller(-chroot)?$" (printf "%s/%s" $c.image.image $c.image.repository | trimSuffix "/") }}
{{- fail "controller.image names ingress-nginx's image, which does not know the flags of this chart: remove controller.image.image, repository, tag and digest" }}
{{- end }}
{{- $jobs := "no job makes the webhook's certificate: each replica makes its own" -}}
{{- $policies := "PodSecurityPolicies are gone from Kubernetes 1.25" -}}
{{- $modules := "the image has the modules that the controller uses" -}}
{{- $reasons := dict
  "controller.image.chroot" "there is no chroot image; the root is read-only instead"
  "controller.image.digestChroot" "there is no chroot image; the root is read-only instead"
  "controller.extraModules" $modules
  "controller.opentelemetry" "tracing needs no module: controller.config.enable-opentelemetry is all"
  "controller.existingPsp" $policies
  "controller.admissionWebhooks.existingPsp" $policies
  "controller.admissionWebhooks.networkPolicyEnabled" "controller.networkPolicy.enabled covers the webhook"
  "controller.admissionWebhooks.createSecretJob" $jobs
  "controller.admissionWebhooks.patchWebhookJob" $jobs
  "defaultBackend.existingPsp" $policies
  "podSecurityPolicy.enabled" $policies -}}
{{- range $name := list "image" "priorityClassName" "podAnnotations" "labels" "nodeSelector" "tolerations" "securityContext" "networkPolicy" "rbac" "serviceAccount" "runtimeClassName" }}
{{- $_ := set $reasons (printf "controller.admissionWebhooks.patch.%s" $name) $jobs }}
{{- end }}
{{- range $path, $reason := $reasons }}
{{- $value := $.Values }}
{{- range $step := splitList "." $path }}{{ $value = index $value $step }}{{ end }}
{{- range $leaf := include "sallyport.leaves" (list $path $value) | splitList "\n" }}
{{- with trim $leaf }}
{{ . }}: has no counterpart, and no effect: {{ $reason }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $c.enableAnnotationValidations }}
controller.enableAnnotationValidations: has no counterpart, and no effect: annotations are always checked
{{- end }}
{{- if not $c.enableMimalloc }}
controller.enableMimalloc: has no counterpart, and no effect: nginx uses the C library's allocator
{{- end }}
{{- if eq (toJson (dig "preStop" "exec" "command" list (default dict $c.lifecycle))) `["/wait-shutdown"]` }}
controller.lifecycle.preStop: /wait-shutdown is not needed, and left out: a pod that is told to end goes on serving for controller.shutdownGraceSeconds
{{- end }}
{{- if and $c.service.enabled $c.service.internal.enabled (not $c.service.internal.annotations) }}
controller.service.internal: there is no internal Service without controller.service.internal.annotations
{{- end }}
{{- end -}}

{{/* sallyport.leaves are the paths below one that were set to something. Wants (list path value). */}}
{{- define "sallyport.leaves" -}}
{{- $path := index . 0 -}}{{- $value := index . 1 -}}
{{- if kindIs "map" $value }}
{{- range $key, $below := $value }}
{{ include "sallyport.leaves" (list (printf "%s.%s" $path $key) $below) }}
{{- end }}
{{- else if $value }}
{{ $path }}
{{- else if and (kindIs "bool" $value) (regexMatch "\\.patch\\.|Job\\.|opentelemetry\\.c" $path) }}
{{ $path }}
{{- end }}
{{- end -}}
