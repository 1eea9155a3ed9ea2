package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// combinations are all values files, of ci/ and of users.
func combinations(t *testing.T) map[string]string {
	t.Helper()
	all := files(t, chartFolder+"/ci/*.yaml")
	for name, text := range files(t, "values/*.yaml") {
		all[name] = text
	}
	return all
}

// Helm has nothing to say against the chart, with any of the files.
func TestLint(t *testing.T) {
	// A chart lints by its folder's name.
	folder, err := filepath.Abs(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range combinations(t) {
		for _, m := range lint.All(folder, parse(t, text), "edge", true).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// The flags that are rendered are flags of the binaries, with values that they
// take.
func TestFlagsAreTaken(t *testing.T) {
	folder := t.TempDir()
	for name, text := range combinations(t) {
		r := must(t, text)
		for _, o := range r.objects {
			if o.GetKind() != "Deployment" && o.GetKind() != "DaemonSet" {
				continue
			}
			containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			for _, one := range containers {
				command, _, _ := unstructured.NestedStringSlice(one.(map[string]any), "command")
				args, _, _ := unstructured.NestedStringSlice(one.(map[string]any), "args")
				taken(t, name, folder, command, args)
			}
		}
	}
}

func taken(t *testing.T, name, folder string, command, args []string) {
	t.Helper()
	// A version is told after the flags have been read and checked; plan reads a
	// folder and does nothing; and what is too much is said last.
	want := ""
	switch strings.Join(command, " ") {
	case "sallyport":
		args = append(args, "--version")
	case "sallyport data-plane":
		args, want = append([]string{"data-plane"}, append(args, "surplus")...), "takes no arguments"
	case "sallyport-proxier":
		args = append([]string{"plan"}, append(args, "--manifests="+folder, "--hostname-override=n1")...)
	default:
		return // somebody else's
	}
	out, err := exec.CommandContext(t.Context(), binary(t, command[0]), args...).CombinedOutput()
	if want == "" && err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s: %v: %v\n%s", name, args, err, out)
	}
}

// binary is one of ours.
func binary(t *testing.T, name string) string {
	t.Helper()
	if name == "sallyport" {
		if path := os.Getenv("SALLYPORT_TEST_BINARY"); path != "" {
			return path
		}
	}
	path := filepath.Join(os.TempDir(), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.Command("go", "build", "-o", path, "github.com/sallyport-ingress/sallyport/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// A name that no value has is refused, and said.
func TestTyposAreNamed(t *testing.T) {
	for values, name := range map[string]string{
		"replicaCount: 2":                                          "replicaCount",
		"controller: {replicacount: 2}":                            "replicacount",
		"controller: {service: {anotations: {a: b}}}":              "anotations",
		"controller: {service: {internal: {enable: true}}}":        "enable",
		"controller: {metrics: {serviceMonitor: {interval: 30s}}}": "interval",
		"controller: {admissionWebhooks: {failPolicy: Ignore}}":    "failPolicy",
		"controller: {kind: Daemonset}":                            "/controller/kind",
		"controller: {image: {repo: x}}":                           "repo",
		"controller: {secrets: list}":                              "/controller/secrets",
		"controller: {hostNetwork: \"yes\"}":                       "/controller/hostNetwork",
		"controller: {replicaCount: many}":                         "/controller/replicaCount",
		"controller: {tolerations: {key: a}}":                      "/controller/tolerations",
		"proxier: {enable: true}":                                  "enable",
		"proxier: {mode: ebpf}":                                    "/proxier/mode",
		"defaultBackend: {replicas: 2}":                            "replicas",
		"rbac: {scoped: true}":                                     "scoped",
	} {
		if said := refused(t, values); !strings.Contains(said, name) {
			t.Errorf("%s: %s is not named: %s", values, name, said)
		}
	}
}

// What can't be meant is refused, by name.
func TestRefusals(t *testing.T) {
	for values, name := range map[string]string{
		"controller: {kind: Both}":                                              "controller.kind",
		"rbac: {scope: true}":                                                   "controller.scope.enabled",
		"controller: {customTemplate: {configMapName: t}}":                      "controller.customTemplate",
		"controller: {image: {image: ingress-nginx/controller}}":                "controller.image",
		"controller: {image: {repository: m.example/ingress-nginx/controller}}": "controller.image",
		"controller: {autoscaling: {enabled: true}, keda: {enabled: true}}":     "exclude",
	} {
		if said := refused(t, values); !strings.Contains(said, name) {
			t.Errorf("%s: %s is not named: %s", values, name, said)
		}
	}
}
