package chart

import (
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// at is a value in an object, "" where there is none; its text in YAML where it
// is no scalar.
func at(t *testing.T, o *unstructured.Unstructured, path string) string {
	t.Helper()
	var now any = o.Object
	for step := range strings.SplitSeq(path, ".") {
		switch n := now.(type) {
		case map[string]any:
			now = n[strings.ReplaceAll(step, "·", ".")]
		case []any:
			now = n[0]
			if m, ok := now.(map[string]any); ok && step != "0" {
				now = m[step]
			}
		default:
			return ""
		}
	}
	if now == nil {
		return ""
	}
	text, err := yaml.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// A topic is what some values make of one object.
type topic struct {
	values, kind, name, path, want string
}

func TestTopics(t *testing.T) {
	const pod = "spec.template.spec."
	for _, c := range []topic{
		// Security.
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.capabilities", "add:\n- NET_BIND_SERVICE\ndrop:\n- ALL"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.runAsUser", "101"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.runAsNonRoot", "true"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.readOnlyRootFilesystem", "true"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.allowPrivilegeEscalation", "false"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.seccompProfile.type", "RuntimeDefault"},
		{"proxier: {enabled: true}", "DaemonSet", "edge-sallyport-proxier", pod + "containers.securityContext.capabilities", "add:\n- NET_ADMIN\ndrop:\n- ALL"},
		{"proxier: {enabled: true}", "DaemonSet", "edge-sallyport-proxier", pod + "hostNetwork", "true"},
		{"proxier: {enabled: true, apiServer: 'https://192.0.2.1:6443'}", "DaemonSet", "edge-sallyport-proxier", pod + "containers.env",
			"- name: NODE_NAME\n  valueFrom:\n    fieldRef:\n      fieldPath: spec.nodeName\n- name: KUBERNETES_SERVICE_HOST\n  value: 192.0.2.1\n- name: KUBERNETES_SERVICE_PORT\n  value: \"6443\""},
		// nginx in a container of its own: no token, no capability.
		{split, "Deployment", "edge-sallyport-controller", pod + "automountServiceAccountToken", "false"},
		{split, "Deployment", "edge-sallyport-controller", pod + "containers.securityContext.capabilities", "drop:\n- ALL"},
		{split, "Deployment", "edge-sallyport-controller", pod + "containers.ports.name", "webhook"},
		{split, "Deployment", "edge-sallyport-controller", pod + "securityContext.sysctls", "- name: net.ipv4.ip_unprivileged_port_start\n  value: \"0\""},
		// How pods are replaced.
		{"{}", "Deployment", "edge-sallyport-controller", "spec.strategy.rollingUpdate.maxUnavailable", "0"},
		{"{}", "Deployment", "edge-sallyport-controller", "spec.minReadySeconds", "5"},
		{"{}", "Deployment", "edge-sallyport-controller", pod + "terminationGracePeriodSeconds", "300"},
		{"controller: {kind: DaemonSet, hostPort: {enabled: true}}", "DaemonSet", "edge-sallyport-controller", "spec.updateStrategy.rollingUpdate", "maxSurge: 0\nmaxUnavailable: 1"},
		{"controller: {kind: DaemonSet}", "DaemonSet", "edge-sallyport-controller", "spec.updateStrategy.rollingUpdate", "maxSurge: 1\nmaxUnavailable: 0"},
		{"controller: {lifecycle: {preStop: {exec: {command: [/wait-shutdown]}}}}", "Deployment", "edge-sallyport-controller", pod + "containers.lifecycle", ""},
		// Pods that know each other before and after an upgrade.
		{"{}", "Deployment", "edge-sallyport-controller", "spec.template.metadata.labels.helm·sh/chart", ""},
		// The host network.
		{"controller: {kind: DaemonSet, hostNetwork: true}", "DaemonSet", "edge-sallyport-controller", "spec.updateStrategy.rollingUpdate", "maxSurge: 1\nmaxUnavailable: 0"},
		{"controller: {kind: DaemonSet, hostNetwork: true, sharePorts: false}", "DaemonSet", "edge-sallyport-controller", "spec.updateStrategy.rollingUpdate", "maxSurge: 0\nmaxUnavailable: 1"},
		{"controller: {hostNetwork: true}", "Deployment", "edge-sallyport-controller", pod + "containers.readinessProbe.exec.command", "- sallyport\n- healthy\n- --health-check-path=/healthz\n- /tmp/healthz.sock"},
		{"controller: {hostNetwork: true}", "Deployment", "edge-sallyport-controller", pod + "containers.readinessProbe.httpGet", ""},
		{"controller: {hostNetwork: true, sharePorts: false}", "Deployment", "edge-sallyport-controller", pod + "containers.readinessProbe.httpGet.port", "10254"},
		{"controller: {hostNetwork: true, affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: x}]}}}", "Deployment", "edge-sallyport-controller",
			pod + "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.topologyKey", "x"},
		{"controller: {hostNetwork: true}", "Deployment", "edge-sallyport-controller",
			pod + "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.topologyKey", "kubernetes.io/hostname"},
		{"controller: {hostNetwork: true}", "Deployment", "edge-sallyport-controller", pod + "containers.ports", ""},
		{"controller: {hostNetwork: true}", "Deployment", "edge-sallyport-controller", pod + "dnsPolicy", "ClusterFirstWithHostNet"},
		{"controller: {hostNetwork: true, dnsPolicy: Default}", "Deployment", "edge-sallyport-controller", pod + "dnsPolicy", "Default"},
		{"controller: {hostNetwork: true, containerPort: {http: 8080, https: 8443}}", "Service", "edge-sallyport-controller", "spec.ports.targetPort", "8080"},
		{"controller: {hostNetwork: true}", "Service", "edge-sallyport-controller-admission", "spec.ports.targetPort", "8443"},
		// Services.
		{"controller: {service: {externalTrafficPolicy: Local, healthCheckNodePort: 32001}}", "Service", "edge-sallyport-controller", "spec.healthCheckNodePort", "32001"},
		{"controller: {service: {internal: {enabled: true, annotations: {a: b}, ports: {http: 81}}}}", "Service", "edge-sallyport-controller-internal", "spec.ports.port", "81"},
		{"controller: {service: {internal: {enabled: true, annotations: {a: b}}, type: NodePort}}", "Service", "edge-sallyport-controller-internal", "spec.type", "NodePort"},
		// Names.
		{"nameOverride: ingress-nginx", "Deployment", "edge-ingress-nginx-controller", "spec.selector.matchLabels", "app.kubernetes.io/component: controller\napp.kubernetes.io/instance: edge\napp.kubernetes.io/name: ingress-nginx"},
		{"fullnameOverride: front", "Service", "front-controller", "spec.selector.app·kubernetes·io/name", "sallyport"},
		{"namespaceOverride: other", "Deployment", "edge-sallyport-controller", "metadata.namespace", "other"},
		// ConfigMaps.
		{"controller: {config: {worker-processes: 2}}", "ConfigMap", "edge-sallyport-controller", "data.worker-processes", `"2"`},
		{"controller: {config: {a: '{{ .Release.Name }}'}}", "ConfigMap", "edge-sallyport-controller", "data.a", "edge"},
		{"controller: {addHeaders: {X-A: b}}", "ConfigMap", "edge-sallyport-controller", "data.add-headers", "edge/edge-sallyport-custom-add-headers"},
		{"tcp: {9000: a/b:1}", "ConfigMap", "edge-sallyport-tcp", "data.9000", "a/b:1"},
		{"dhParam: QUJD", "Secret", "edge-sallyport-controller", "data.dhparam·pem", "QUJD"},
		// IngressClasses.
		{"controller: {ingressClassResource: {default: true, aliases: [x]}}", "IngressClass", "nginx", "metadata.annotations.ingressclass·kubernetes·io/is-default-class", `"true"`},
		{"controller: {ingressClassResource: {default: true, aliases: [x]}}", "IngressClass", "x", "metadata.annotations", ""},
		// The webhook.
		{"controller: {scope: {enabled: true, namespace: a}}", "ValidatingWebhookConfiguration", "edge-sallyport-admission", "webhooks.namespaceSelector.matchLabels.kubernetes·io/metadata·name", "a"},
		{"controller: {admissionWebhooks: {certManager: {enabled: true}}}", "ValidatingWebhookConfiguration", "edge-sallyport-admission", "metadata.annotations.cert-manager·io/inject-ca-from", "edge/edge-sallyport-admission"},
		{"controller: {admissionWebhooks: {certManager: {enabled: true}}}", "Deployment", "edge-sallyport-controller", pod + "containers.volumeMounts", "- mountPath: /tmp\n  name: work\n- mountPath: /usr/local/certificates\n  name: webhook-cert\n  readOnly: true"},
		// Scaling.
		{"controller: {replicaCount: 2}", "PodDisruptionBudget", "edge-sallyport-controller", "spec.minAvailable", "1"},
		{"controller: {autoscaling: {enabled: true, targetMemoryUtilizationPercentage: null}}", "HorizontalPodAutoscaler", "edge-sallyport-controller", "spec.metrics.resource.name", "cpu"},
		{"controller: {autoscaling: {enabled: true}}", "Deployment", "edge-sallyport-controller", "spec.replicas", ""},
		// Images.
		{"global: {image: {registry: m.example}}", "Deployment", "edge-sallyport-controller", pod + "containers.image", "m.example/sallyport-ingress/sallyport:" + appVersion},
		{"controller: {image: {digest: 'sha256:0', tag: v1}}", "Deployment", "edge-sallyport-controller", pod + "containers.image", "ghcr.io/sallyport-ingress/sallyport:v1@sha256:0"},
	} {
		if got := at(t, must(t, c.values).object(t, c.kind, c.name), c.path); got != c.want {
			t.Errorf("%s: %s %s: %s is %q, want %q", c.values, c.kind, c.name, c.path, got, c.want)
		}
	}
}

const appVersion, split = "0.1.0", "dataPlane: {split: true}"

// Where nginx has a container of its own, that one has neither the token nor a
// capability, but for the host network, where ports below 1024 take one.
func TestDataPlane(t *testing.T) {
	for values, capabilities := range map[string]string{
		split: "drop:\n- ALL",
		split + "\ncontroller: {hostNetwork: true}": "add:\n- NET_BIND_SERVICE\ndrop:\n- ALL",
	} {
		o := must(t, values).object(t, "Deployment", "edge-sallyport-controller")
		all, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		if len(all) != 2 {
			t.Fatalf("%s: %d containers", values, len(all))
		}
		nginx := &unstructured.Unstructured{Object: all[1].(map[string]any)}
		if got := at(t, nginx, "securityContext.capabilities"); got != capabilities {
			t.Errorf("%s: %s", values, got)
		}
		if got := at(t, nginx, "volumeMounts"); strings.Contains(got, "token") || !strings.Contains(got, "/var/lib/sallyport") {
			t.Errorf("%s: %s", values, got)
		}
		if got := at(t, nginx, "args"); !strings.Contains(got, "--shutdown-grace-period=15") {
			t.Errorf("%s: %s", values, got)
		}
	}
}

// Which objects there are.
func TestObjects(t *testing.T) {
	for _, c := range []struct {
		values, kind, name string
		want               bool
	}{
		{"{}", "PodDisruptionBudget", "edge-sallyport-controller", false},
		{"controller: {kind: DaemonSet}", "PodDisruptionBudget", "edge-sallyport-controller", true},
		{"controller: {kind: DaemonSet, autoscaling: {enabled: true}}", "HorizontalPodAutoscaler", "edge-sallyport-controller", false},
		{"controller: {service: {enabled: false}}", "Service", "edge-sallyport-controller", false},
		{"controller: {service: {external: {enabled: false}}}", "Service", "edge-sallyport-controller", false},
		{"controller: {service: {internal: {enabled: true}}}", "Service", "edge-sallyport-controller-internal", false},
		{"controller: {admissionWebhooks: {enabled: false}}", "ValidatingWebhookConfiguration", "edge-sallyport-admission", false},
		{"controller: {admissionWebhooks: {enabled: false}}", "Service", "edge-sallyport-controller-admission", false},
		{"controller: {metrics: {enabled: true}}", "Service", "edge-sallyport-controller-metrics", true},
		{"controller: {metrics: {serviceMonitor: {enabled: true}}}", "ServiceMonitor", "edge-sallyport-controller", false},
		{"controller: {metrics: {enabled: true, dashboards: {enabled: true}}}", "ConfigMap", "edge-sallyport-dashboard-traffic", true},
		{"rbac: {create: false}", "ClusterRole", "edge-sallyport", false},
		{"rbac: {scope: true}\ncontroller: {scope: {enabled: true}}", "ClusterRole", "edge-sallyport", false},
		{"serviceAccount: {create: false}", "ServiceAccount", "edge-sallyport", false},
		{"proxier: {enabled: true}", "ClusterRoleBinding", "edge-sallyport-proxier", true},
		{"{}", "DaemonSet", "edge-sallyport-proxier", false},
		{"defaultBackend: {enabled: true}", "Deployment", "edge-sallyport-defaultbackend", true},
	} {
		if got := must(t, c.values).has(c.kind, c.name); got != c.want {
			t.Errorf("%s: there is a %s %s: %v", c.values, c.kind, c.name, got)
		}
	}
	// No job, no hook, no image of somebody else.
	r := must(t, "{}")
	for _, o := range r.objects {
		if o.GetKind() == "Job" || o.GetAnnotations()["helm.sh/hook"] != "" {
			t.Errorf("%s %s", o.GetKind(), o.GetName())
		}
	}
}

func TestArgs(t *testing.T) {
	for values, want := range map[string]string{
		"{}": "--secrets=get",
		"controller: {service: {enabled: false}}":                                          "-publish-service",
		"controller: {publishService: {pathOverride: a/b}}":                                "--publish-service=a/b",
		"controller: {extraArgs: {publish-status-address: 192.0.2.1}}":                     "-publish-service",
		"controller: {extraArgs: {shutdown-grace-period: 60}}":                             "--shutdown-grace-period=60",
		"controller: {extraArgs: {enable-ssl-passthrough: ''}}":                            "--enable-ssl-passthrough",
		"controller: {extraArgs: {time-buckets: 0.25}}":                                    "--time-buckets=0.25",
		"controller: {extraArgs: {default-ssl-certificate: '{{ .Release.Namespace }}/w'}}": "--default-ssl-certificate=edge/w",
		"controller: {metrics: {enabled: true}}":                                           "--enable-metrics=true",
		"controller: {scope: {enabled: true}}":                                             "--watch-namespace=edge",
		"controller: {scope: {namespaceSelector: a=b}}":                                    "--watch-namespace-selector=a=b",
		"defaultBackend: {enabled: true}":                                                  "--default-backend-service=edge/edge-sallyport-defaultbackend",
		"udp: {53: a/b:53}":                                                                "--udp-services-configmap=edge/edge-sallyport-udp",
		"controller: {admissionWebhooks: {certManager: {enabled: true}}}":                  "-validating-webhook-configuration",
		"controller: {admissionWebhooks: {patch: {enabled: false}}}":                       "--validating-webhook-key=/usr/local/certificates/key",
		"controller: {service: {enabled: false}, reportNodeInternalIp: true}":              "--report-node-internal-ip-address=true",
	} {
		args := must(t, values).args(t)
		if name, without := strings.CutPrefix(want, "-"); without && !strings.HasPrefix(name, "-") {
			if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--"+name+"=") }) {
				t.Errorf("%s: %v has --%s", values, args, name)
			}
		} else if !slices.Contains(args, want) {
			t.Errorf("%s: %v has no %s", values, args, want)
		}
	}
}

// The page's ten lines are ci/edge.yaml, and ten at the most.
func TestEdgeNodePage(t *testing.T) {
	page, err := os.ReadFile(chartFolder + "/edge-nodes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	values, _, _ := strings.Cut(rest, "```")
	if n := strings.Count(values, "\n"); n > 10 {
		t.Errorf("%d lines", n)
	}
	if tested := files(t, chartFolder+"/ci/edge.yaml")["edge.yaml"]; !strings.HasSuffix(tested, "\n"+values) {
		t.Errorf("the page says\n%s\nand ci/edge.yaml is\n%s", values, tested)
	}
}
