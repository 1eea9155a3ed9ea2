{{/* sallyport.service is the spec of one of the controller's Services. Wants (list $ values "tcp+udp node ports…"), where values are those of the Service with ports, targetPorts and appProtocol. */}}
{{- define "sallyport.service" -}}
{{- $ := index . 0 -}}{{- $s := index . 1 -}}
{{- $c := $.Values.controller -}}
{{- $type := $s.type -}}
{{- $nodes := has $type (list "NodePort" "LoadBalancer") -}}
type: {{ $type }}
{{- include "sallyport.reach" (list $s $type) }}
{{- with $s.clusterIPs }}
clusterIPs: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- if and (eq $type "LoadBalancer") (not $s.allocateLoadBalancerNodePorts) }}
allocateLoadBalancerNodePorts: false
{{- end }}
{{- with $s.externalTrafficPolicy }}
externalTrafficPolicy: {{ . }}
{{- end }}
{{- with $s.sessionAffinity }}
sessionAffinity: {{ . }}
{{- end }}
{{- if and (int $s.healthCheckNodePort) (eq $s.externalTrafficPolicy "Local") }}
healthCheckNodePort: {{ int $s.healthCheckNodePort }}
{{- end }}
{{- with $s.trafficDistribution }}
trafficDistribution: {{ . }}
{{- end }}
{{- with $s.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with $s.ipFamilies }}
ipFamilies: {{- toYaml . | nindent 2 }}
{{- end }}
ports:
{{- range $name, $on := dict "http" $c.service.enableHttp "https" $c.service.enableHttps }}
{{- if $on }}
- name: {{ $name }}
  port: {{ int (index $s.ports $name) }}
  protocol: TCP
  targetPort: {{ include "sallyport.target" (list $ (index $s.targetPorts $name)) }}
{{- if $s.appProtocol }}
  appProtocol: {{ $name }}
{{- end }}
{{- if and $nodes (index $s.nodePorts $name) }}
  nodePort: {{ int (index $s.nodePorts $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $protocol, $services := dict "tcp" $.Values.tcp "udp" $.Values.udp }}
{{- range $port, $service := $services }}
{{- $name := include "sallyport.streamName" (list $ $port $protocol) }}
- name: {{ $name }}
  port: {{ int $port }}
  protocol: {{ upper $protocol }}
  targetPort: {{ ternary (toString $port) $name $c.hostNetwork }}
{{- with index $s.nodePorts $protocol }}
{{- /* The keys of a map in a values file may be text or numbers. */}}
{{- range $key, $node := . }}
{{- if and $nodes (eq (toString $key) (toString $port)) }}
  nodePort: {{ int $node }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
selector:
  {{- include "sallyport.selector" $ | nindent 2 }}
  app.kubernetes.io/component: {{ $c.name }}
{{- end -}}

{{/* sallyport.target is a port of the pod. With hostNetwork ports have no names. */}}
{{- define "sallyport.target" -}}
{{- $c := (index . 0).Values.controller -}}{{- $target := toString (index . 1) -}}
{{- if and $c.hostNetwork (hasKey $c.containerPort $target) -}}
{{- int (index $c.containerPort $target) -}}
{{- else -}}
{{- $target -}}
{{- end -}}
{{- end -}}

{{/* sallyport.reach is what all Services of the chart may have. Wants (list values type). */}}
{{- define "sallyport.reach" -}}
{{- $s := index . 0 -}}
{{- with $s.clusterIP }}
clusterIP: {{ . | quote }}
{{- end }}
{{- with $s.externalIPs }}
externalIPs: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if eq (index . 1) "LoadBalancer" }}
{{- with $s.loadBalancerIP }}
loadBalancerIP: {{ . | quote }}
{{- end }}
{{- with $s.loadBalancerSourceRanges }}
loadBalancerSourceRanges: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
