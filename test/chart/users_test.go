package chart

import (
	"slices"
	"strings"
	"testing"
)

// Values files of users of ingress-nginx install as they are, and what has no
// counterpart is named.
func TestFilesOfUsers(t *testing.T) {
	want := map[string][]string{
		"cloud-loadbalancer.yaml": {"controller.admissionWebhooks.patch.image.registry", "controller.lifecycle.preStop"},
		"bare-metal.yaml":         {"controller.image.chroot"},
		"internal-external.yaml":  {"controller.opentelemetry.enabled"},
		"tcp-udp.yaml":            nil,
		"metrics.yaml": {
			"controller.admissionWebhooks.createSecretJob.resources.limits.cpu", "controller.admissionWebhooks.createSecretJob.resources.limits.memory",
			"controller.admissionWebhooks.patch.nodeSelector.kubernetes.io/os",
			"controller.admissionWebhooks.patchWebhookJob.resources.limits.cpu", "controller.admissionWebhooks.patchWebhookJob.resources.limits.memory",
		},
	}
	all := files(t, "values/*.yaml")
	for name := range want {
		if all[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	for name, text := range all {
		r := must(t, text)
		var got []string
		_, list, _ := strings.Cut(r.notes, "\nVALUES WITHOUT A COUNTERPART\n")
		for line := range strings.Lines(strings.TrimSpace(list)) {
			path, _, _ := strings.Cut(line, ": ")
			got = append(got, path)
		}
		slices.Sort(got)
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: named %q, want %q\n%s", name, got, want[name], r.notes)
		}
	}
}
