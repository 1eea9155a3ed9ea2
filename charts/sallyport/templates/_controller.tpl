{{/* What the controller's parts have to agree on. */}}

{{- define "sallyport.kind" -}}
{{- if eq .Values.controller.kind "Both" -}}
{{- fail "controller.kind: Both has no counterpart: make two releases, one of each kind" -}}
{{- end -}}
{{- .Values.controller.kind -}}
{{- end -}}

{{/* sallyport.watched is the namespace that is served, "" for all. */}}
{{- define "sallyport.watched" -}}
{{- with .Values.controller.scope }}{{ if .enabled }}{{ default (include "sallyport.namespace" $) .namespace }}{{ end }}{{ end -}}
{{- end -}}

{{/* sallyport.externalService and sallyport.internalService say "yes" where there is such a Service. */}}
{{- define "sallyport.externalService" -}}
{{- with .Values.controller.service }}{{ if and .enabled .external.enabled }}yes{{ end }}{{ end -}}
{{- end -}}
{{- define "sallyport.internalService" -}}
{{- with .Values.controller.service }}{{ if and .enabled .internal.enabled .internal.annotations }}yes{{ end }}{{ end -}}
{{- end -}}

{{/* sallyport.publishService is whose addresses Ingresses get, "" for those of nodes. */}}
{{- define "sallyport.publishService" -}}
{{- with .Values.controller.publishService }}
{{- if and .enabled .pathOverride }}{{ tpl .pathOverride $ }}
{{- else if and .enabled (include "sallyport.externalService" $) }}{{ include "sallyport.namespace" $ }}/{{ include "sallyport.controller" $ }}
{{- else if and .enabled (include "sallyport.internalService" $) }}{{ include "sallyport.namespace" $ }}/{{ include "sallyport.internal" $ }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "sallyport.configNamespace" -}}{{ default (include "sallyport.namespace" .) .Values.controller.configMapNamespace }}{{- end -}}
{{- define "sallyport.tcpNamespace" -}}{{ default (include "sallyport.namespace" .) .Values.controller.tcp.configMapNamespace }}{{- end -}}
{{- define "sallyport.udpNamespace" -}}{{ default (include "sallyport.namespace" .) .Values.controller.udp.configMapNamespace }}{{- end -}}

{{/* sallyport.certificates is who makes the webhook's certificate: "", self, cert-manager or user. */}}
{{- define "sallyport.certificates" -}}
{{- with .Values.controller.admissionWebhooks }}
{{- if not .enabled }}
{{- else if .certManager.enabled }}cert-manager
{{- else if .patch.enabled }}self
{{- else }}user
{{- end }}
{{- end -}}
{{- end -}}

{{/* sallyport.args are the controller's flags, where extraArgs has none of that name. */}}
{{- define "sallyport.args" -}}
{{- $c := .Values.controller -}}
{{- $webhook := $c.admissionWebhooks -}}
{{- $args := dict
  "controller-class" $c.ingressClassResource.controllerValue
  "ingress-class" $c.ingressClass
  "configmap" (printf "%s/%s" (include "sallyport.configNamespace" .) (include "sallyport.controller" .))
  "secrets" $c.secrets
  "shutdown-grace-period" (int $c.shutdownGraceSeconds)
  "election-id" (include "sallyport.election" .) -}}
{{- if .Values.defaultBackend.enabled }}{{ $_ := set $args "default-backend-service" (printf "%s/%s" (include "sallyport.namespace" .) (include "sallyport.backend" .)) }}{{ end -}}
{{- with include "sallyport.publishService" . }}{{ $_ := set $args "publish-service" . }}{{ end -}}
{{- with $c.electionTTL }}{{ $_ := set $args "election-ttl" . }}{{ end -}}
{{- if $c.disableLeaderElection }}{{ $_ := set $args "disable-leader-election" true }}{{ end -}}
{{- with .Values.tcp }}{{ $_ := set $args "tcp-services-configmap" (printf "%s/%s" (include "sallyport.tcpNamespace" $) (include "sallyport.part" (list $ "tcp"))) }}{{ end -}}
{{- with .Values.udp }}{{ $_ := set $args "udp-services-configmap" (printf "%s/%s" (include "sallyport.udpNamespace" $) (include "sallyport.part" (list $ "udp"))) }}{{ end -}}
{{- with include "sallyport.watched" . }}{{ $_ := set $args "watch-namespace" . }}{{ end -}}
{{- if and (not $c.scope.enabled) $c.scope.namespaceSelector }}{{ $_ := set $args "watch-namespace-selector" $c.scope.namespaceSelector }}{{ end -}}
{{- if and $c.reportNodeInternalIp (not (include "sallyport.publishService" .)) }}{{ $_ := set $args "report-node-internal-ip-address" true }}{{ end -}}
{{- with $c.maxmindLicenseKey }}{{ $_ := set $args "maxmind-license-key" . }}{{ end -}}
{{- if ne (int $c.containerPort.http) 80 }}{{ $_ := set $args "http-port" (int $c.containerPort.http) }}{{ end -}}
{{- if ne (int $c.containerPort.https) 443 }}{{ $_ := set $args "https-port" (int $c.containerPort.https) }}{{ end -}}
{{- with $c.healthCheckHost }}{{ $_ := set $args "healthz-host" . }}{{ end -}}
{{- if ne $c.healthCheckPath "/healthz" }}{{ $_ := set $args "health-check-path" $c.healthCheckPath }}{{ end -}}
{{- if $c.ingressClassByName }}{{ $_ := set $args "ingress-class-by-name" true }}{{ end -}}
{{- if $c.watchIngressWithoutClass }}{{ $_ := set $args "watch-ingress-without-class" true }}{{ end -}}
{{- if $c.metrics.enabled }}{{ $_ := set $args "enable-metrics" true }}{{ end -}}
{{- if $c.enableTopologyAwareRouting }}{{ $_ := set $args "enable-topology-aware-routing" true }}{{ end -}}
{{- with include "sallyport.certificates" . }}
{{- $_ := set $args "validating-webhook" (printf ":%d" (int $webhook.port)) }}
{{- if eq . "self" }}
{{- $_ := set $args "validating-webhook-configuration" (include "sallyport.webhook" $) }}
{{- else }}
{{- $_ := set $args "validating-webhook-certificate" $webhook.certificate }}
{{- $_ := set $args "validating-webhook-key" $webhook.key }}
{{- end }}
{{- with $webhook.clientCA }}{{ $_ := set $args "validating-webhook-client-ca" . }}{{ end }}
{{- end -}}
{{- if and $c.hostNetwork $c.sharePorts }}
{{- $_ := set $args "share-ports" true }}
{{- $_ := set $args "healthz-socket" "/tmp/healthz.sock" }}
{{- end -}}
{{- if .Values.dataPlane.split }}
{{- $_ := set $args "external-data-plane" true }}
{{- $_ := set $args "work-dir" "/var/lib/sallyport/nginx" }}
{{- end -}}
{{- /* A value of extraArgs counts, and the one that excludes a default of ours takes it away. */ -}}
{{- if hasKey $c.extraArgs "publish-status-address" }}{{ $_ := unset $args "publish-service" }}{{ end -}}
{{- if hasKey $c.extraArgs "validating-webhook-certificate" }}{{ $_ := unset $args "validating-webhook-configuration" }}{{ end -}}
{{- range $name, $value := $c.extraArgs }}{{ $_ := set $args $name $value }}{{ end -}}
{{- tpl (include "sallyport.flags" $args) . -}}
{{- end -}}

{{/* sallyport.portsOwn are those of the controller itself, sallyport.ports nginx's. With hostNetwork none is declared: each would be a port of the node, and the scheduler would not let an old and a new pod share it while one takes over from the other. */}}
{{- define "sallyport.portsOwn" -}}
{{- $c := .Values.controller -}}
{{- if $c.metrics.enabled }}
- name: {{ $c.metrics.portName }}
  containerPort: {{ int $c.metrics.port }}
  protocol: TCP
{{- end }}
{{- if $c.admissionWebhooks.enabled }}
- name: webhook
  containerPort: {{ int $c.admissionWebhooks.port }}
  protocol: TCP
{{- end }}
{{- end -}}

{{- define "sallyport.ports" -}}
{{- $c := .Values.controller -}}
{{- $host := and $c.hostPort.enabled (not $c.hostNetwork) -}}
{{- range $name, $port := $c.containerPort }}
- name: {{ $name }}
  containerPort: {{ int $port }}
  protocol: TCP
{{- if and $host (hasKey $c.hostPort.ports $name) }}
  hostPort: {{ int (index $c.hostPort.ports $name) }}
{{- end }}
{{- end }}
{{- range $protocol, $services := dict "tcp" .Values.tcp "udp" .Values.udp }}
{{- range $port, $service := $services }}
- name: {{ include "sallyport.streamName" (list $ $port $protocol) }}
  containerPort: {{ int $port }}
  protocol: {{ upper $protocol }}
{{- if $host }}
  hostPort: {{ int $port }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* sallyport.streamName is the name of a TCP or UDP service's port. */}}
{{- define "sallyport.streamName" -}}
{{- $ := index . 0 -}}
{{- with $.Values.portNamePrefix }}{{ . }}-{{ end }}{{ index . 1 }}-{{ index . 2 -}}
{{- end -}}

{{/* sallyport.strategy is how pods are replaced. Where an old and a new one may be on a node at once, the new one is ready before the old one ends. */}}
{{- define "sallyport.strategy" -}}
{{- $c := .Values.controller -}}
{{- if $c.updateStrategy -}}
{{- toYaml $c.updateStrategy -}}
{{- else if or (and $c.hostNetwork (not $c.sharePorts)) (and $c.hostPort.enabled (not $c.hostNetwork)) -}}
type: RollingUpdate
rollingUpdate: {{ if eq (include "sallyport.kind" .) "DaemonSet" }}{maxSurge: 0, maxUnavailable: 1}{{ else }}{maxUnavailable: 1}{{ end }}
{{- else -}}
type: RollingUpdate
rollingUpdate: {maxSurge: {{ if eq (include "sallyport.kind" .) "DaemonSet" }}1{{ else }}25%{{ end }}, maxUnavailable: 0}
{{- end -}}
{{- end -}}

{{/* sallyport.probe is one of a pod: where two share a port, the other might answer, so it is asked by a socket of its own. Wants (list $ probe). */}}
{{- define "sallyport.probe" -}}
{{- $ := index . 0 -}}{{- $c := $.Values.controller -}}{{- $probe := index . 1 -}}
{{- if and $c.hostNetwork $c.sharePorts (hasKey $probe "httpGet") -}}
{{- $exec := dict "command" (list "sallyport" "healthy" (printf "--health-check-path=%s" $probe.httpGet.path) "/tmp/healthz.sock") -}}
{{- $probe = merge (dict "exec" $exec) (omit $probe "httpGet") -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}

{{/* sallyport.apart is an affinity that keeps pods of other releases, which would share the ports as well, off the node. */}}
{{- define "sallyport.apart" -}}
podAffinityTerm:
  topologyKey: kubernetes.io/hostname
  namespaceSelector: {}
  labelSelector:
    matchExpressions:
    - {key: app.kubernetes.io/name, operator: In, values: [{{ include "sallyport.name" . }}]}
    - {key: app.kubernetes.io/component, operator: In, values: [{{ .Values.controller.name }}]}
    - {key: app.kubernetes.io/instance, operator: NotIn, values: [{{ .Release.Name }}]}
{{- end -}}

{{/* sallyport.lifecycle is without the hook of ingress-nginx's image. */}}
{{- define "sallyport.lifecycle" -}}
{{- $l := deepCopy (default dict .Values.controller.lifecycle) -}}
{{- if eq (toJson (dig "preStop" "exec" "command" list $l)) `["/wait-shutdown"]` }}{{ $_ := unset $l "preStop" }}{{ end -}}
{{- with $l }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* sallyport.workDir is the emptyDir that can be written. */}}
{{- define "sallyport.workDir" -}}
{{- $d := dict -}}
{{- range $key, $value := pick .Values.controller.workDir "medium" "sizeLimit" }}{{ if $value }}{{ $_ := set $d $key $value }}{{ end }}{{ end -}}
{{- toJson $d -}}
{{- end -}}

{{/* sallyport.capabilities are nginx's: in a network of its own a sysctl opens the ports below 1024 to all. */}}
{{- define "sallyport.capabilities" -}}
{{- if or .Values.controller.hostNetwork (not .Values.dataPlane.split) }}["NET_BIND_SERVICE"]{{ else }}[]{{ end -}}
{{- end -}}

{{/* sallyport.nginx is the container of nginx, where it has one of its own. */}}
{{- define "sallyport.nginx" -}}
{{- $c := .Values.controller -}}{{- $d := .Values.dataPlane -}}
- name: {{ $d.containerName }}
  image: {{ include "sallyport.image" (list . $c.image .Chart.AppVersion) }}
  imagePullPolicy: {{ $c.image.pullPolicy }}
  command: [sallyport, data-plane]
  args: [--work-dir=/var/lib/sallyport/nginx, --shutdown-grace-period={{ dig "shutdown-grace-period" $c.shutdownGraceSeconds $c.extraArgs | int }}]
  securityContext: {{- include "sallyport.containerSecurity" (list $c.image (include "sallyport.capabilities" . | fromJsonArray) $d.containerSecurityContext) | nindent 4 }}
{{- with $d.extraEnvs }}
  env: {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- if not $c.hostNetwork }}
  ports: {{- include "sallyport.ports" . | nindent 2 }}
{{- end }}
{{- with $d.resources }}
  resources: {{- toYaml . | nindent 4 }}
{{- end }}
  volumeMounts:
  - {name: nginx, mountPath: /var/lib/sallyport}
  - {name: nginx-tmp, mountPath: /tmp}
{{- with $d.extraVolumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{/* sallyport.pod is the template of the controller's pods. */}}
{{- define "sallyport.pod" -}}
{{- $c := .Values.controller -}}
{{- $split := .Values.dataPlane.split -}}
{{- $sysctls := $c.sysctls -}}
{{- if and $split (not $c.hostNetwork) }}{{ $sysctls = merge (deepCopy $sysctls) (dict "net.ipv4.ip_unprivileged_port_start" "0") }}{{ end -}}
metadata:
{{- with $c.podAnnotations }}
  annotations: {{- tpl (toYaml .) $ | nindent 4 }}
{{- end }}
  labels: {{- include "sallyport.podLabels" (list . $c.name $c.labels $c.podLabels) | nindent 4 }}
spec:
  serviceAccountName: {{ include "sallyport.account" . }}
  automountServiceAccountToken: {{ and .Values.serviceAccount.automountServiceAccountToken (not $split) }}
  terminationGracePeriodSeconds: {{ int $c.terminationGracePeriodSeconds }}
  dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" $c.hostNetwork) $c.dnsPolicy }}
{{- with $c.dnsConfig }}
  dnsConfig: {{- toYaml . | nindent 4 }}
{{- end }}
{{- with $c.hostname }}
  hostname: {{ toYaml . | trim }}
{{- end }}
{{- with $c.hostAliases }}
  hostAliases: {{- toYaml . | nindent 4 }}
{{- end }}
{{- if $c.hostNetwork }}
  hostNetwork: true
{{- end }}
{{- if $c.shareProcessNamespace }}
  shareProcessNamespace: true
{{- end }}
{{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
{{- end }}
{{- if or $c.podSecurityContext $sysctls }}
  securityContext:
  {{- with $c.podSecurityContext }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $sysctls }}
    sysctls:
    {{- range $name, $value := . }}
    - {name: {{ $name }}, value: {{ $value | quote }}}
    {{- end }}
  {{- end }}
{{- end }}
{{- $where := pick $c "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" | deepCopy }}
{{- if and $c.hostNetwork $c.sharePorts }}
{{- $anti := get (default dict $where.affinity) "podAntiAffinity" | default dict }}
{{- $required := append (get $anti "requiredDuringSchedulingIgnoredDuringExecution" | default list) (include "sallyport.apart" . | fromYaml).podAffinityTerm }}
{{- $_ := set $where "affinity" (merge (dict "podAntiAffinity" (merge (dict "requiredDuringSchedulingIgnoredDuringExecution" $required) $anti)) (default dict $where.affinity)) }}
{{- end }}
{{- include "sallyport.scheduling" (list . $where) | indent 2 }}
{{- with $c.extraInitContainers }}
  initContainers: {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
  containers:
  - name: {{ $c.containerName }}
    image: {{ include "sallyport.image" (list . $c.image .Chart.AppVersion) }}
    imagePullPolicy: {{ $c.image.pullPolicy }}
    command: [sallyport]
    args: {{- include "sallyport.args" . | nindent 4 }}
    securityContext: {{- include "sallyport.containerSecurity" (list $c.image (ternary list (list "NET_BIND_SERVICE") $split) $c.containerSecurityContext) | nindent 6 }}
    env:
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    {{- with concat $c.extraEnvs $c.admissionWebhooks.extraEnvs }}{{ tpl (toYaml .) $ | nindent 4 }}{{ end }}
    {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
    {{- with index $c $probe }}
    {{ $probe }}: {{- include "sallyport.probe" (list $ .) | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with include "sallyport.lifecycle" . }}
    lifecycle: {{- . | nindent 6 }}
    {{- end }}
    {{- $ports := include "sallyport.portsOwn" . }}
    {{- if not $split }}{{ $ports = printf "%s%s" (include "sallyport.ports" .) $ports }}{{ end }}
    {{- if and $ports (not $c.hostNetwork) }}
    ports: {{- $ports | nindent 4 }}
    {{- end }}
    {{- with $c.resources }}
    resources: {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
    - {name: work, mountPath: /tmp}
    {{- if $split }}
    - {name: nginx, mountPath: /var/lib/sallyport}
    {{- if .Values.serviceAccount.automountServiceAccountToken }}
    - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
    {{- end }}
    {{- end }}
    {{- if has (include "sallyport.certificates" .) (list "cert-manager" "user") }}
    - {name: webhook-cert, mountPath: {{ dir $c.admissionWebhooks.certificate }}, readOnly: true}
    {{- end }}
    {{- with $c.extraVolumeMounts }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- if $split }}{{ include "sallyport.nginx" . | nindent 2 }}{{ end }}
  {{- with $c.extraContainers }}{{ tpl (toYaml .) $ | nindent 2 }}{{ end }}
  volumes:
  {{- if $split }}
  - name: nginx
    emptyDir: {{ include "sallyport.workDir" . }}
  - name: nginx-tmp
    emptyDir: {}
  {{- if .Values.serviceAccount.automountServiceAccountToken }}
  - name: token
    projected:
      sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
  {{- end }}
  {{- end }}
  - name: work
    emptyDir: {{ include "sallyport.workDir" . }}
  {{- with include "sallyport.certificates" . }}
  {{- if eq . "cert-manager" }}
  - name: webhook-cert
    secret:
      secretName: {{ include "sallyport.webhook" $ }}
      items: [{key: tls.crt, path: {{ base $c.admissionWebhooks.certificate }}}, {key: tls.key, path: {{ base $c.admissionWebhooks.key }}}]
  {{- else if eq . "user" }}
  - name: webhook-cert
    secret:
      secretName: {{ include "sallyport.webhook" $ }}
      items: [{key: cert, path: {{ base $c.admissionWebhooks.certificate }}}, {key: key, path: {{ base $c.admissionWebhooks.key }}}]
  {{- end }}
  {{- end }}
  {{- with $c.extraVolumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}
