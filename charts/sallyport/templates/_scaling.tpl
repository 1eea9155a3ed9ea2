{{/* sallyport.disruption is the spec of a PodDisruptionBudget. Wants (list $ values component). */}}
{{- define "sallyport.disruption" -}}
{{- $v := index . 1 -}}
selector:
  matchLabels:
    {{- include "sallyport.selector" (index . 0) | nindent 4 }}
    app.kubernetes.io/component: {{ index . 2 }}
{{- if ne (toString $v.maxUnavailable) "" }}
maxUnavailable: {{ $v.maxUnavailable }}
{{- else }}
minAvailable: {{ $v.minAvailable }}
{{- end }}
{{- with $v.unhealthyPodEvictionPolicy }}
unhealthyPodEvictionPolicy: {{ . }}
{{- end }}
{{- end -}}

{{/* sallyport.utilization are the metrics of a HorizontalPodAutoscaler. */}}
{{- define "sallyport.utilization" -}}
{{- with .targetMemoryUtilizationPercentage }}
- {type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: {{ int . }}}}}
{{- end }}
{{- with .targetCPUUtilizationPercentage }}
- {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ int . }}}}}
{{- end }}
{{- end -}}
