package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/option"
	"github.com/sallyport-ingress/sallyport/controller/settings"
)

// docs writes the reference pages into the checkout that it is run in.
func docs(_ context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 0 {
		return usagef("docs: unexpected argument %q", args[0])
	}
	for path, text := range pages() {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("docs: %w", err)
		}
		fmt.Fprintln(stdout, path)
	}
	return nil
}

// pages are the reference pages by their path in the checkout.
func pages() map[string]string {
	return map[string]string{
		"controller/annotation/README.md": annotationPage(),
		"controller/settings/README.md":   settingsPage(),
		"controller/metrics/README.md":    metricsPage(),
		"cmd/sallyport/README.md":         flagsPage(),
	}
}

func annotationPage() string {
	return page("Annotations", "What an Ingress may say in its annotations. The names start with `"+annotation.DefaultPrefix+
		"/`, or with what `--annotations-prefix` says. An annotation that is not here is a problem, with an Event; one that would restrict access and is not here closes its Ingress with 503.\n\nThe risk is what the ConfigMap's `annotations-risk-level` is compared with: an Ingress that has an annotation above it is as one with a wrong value.", annotation.Docs(), true)
}

func settingsPage() string {
	return page("ConfigMap", "What the ConfigMap of `--configmap` may say, as `data`. A key that is not here, or has a wrong value, is a problem, with an Event on the ConfigMap.", settings.Docs(), false)
}

const generated = "<!-- Written by `make docs`. -->\n"

func page(title, intro string, docs []option.Doc, risks bool) string {
	var b strings.Builder
	head, line := "| name | what it does | value | default |", "|---|---|---|---|"
	if risks {
		head, line = head+" risk |", line+"---|"
	}
	fmt.Fprintf(&b, "%s\n# %s\n\n%s\n\n%s\n%s\n", generated, title, intro, head, line)
	for _, d := range docs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |", d.Name, cell(d.Text), cell(d.Values), cell(d.Default))
		if risks {
			fmt.Fprintf(&b, " %s |", d.Risk)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func flagsPage() string {
	var o options
	return generated + "\n# Flags\n\n```\n" + usages(o.flagGroups()) + "```\n"
}

func metricsPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# Metrics\n\nWhat `/metrics` shows, on the port of `--healthz-port`. Each name starts with `nginx_ingress_controller_`. Each metric also has the labels `controller_namespace`, `controller_class` and `controller_pod`. Those in *italics* are ours; the others have ingress-nginx's names, types and labels, all of its 36. A histogram `x` is shown as `x_bucket`, `x_sum` and `x_count`.\n\nOf Go (`go_`), of the controller's process (`process_`) and of the scrapes themselves (`promhttp_`) there are the usual ones.\n\nAll panels of ingress-nginx's two dashboards have data, but \"Upstream service latency\" of \"Request Handling Performance\": its series are none that ingress-nginx itself still has.\n", generated)
	for _, g := range metrics.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| name | type | labels | unit | what it says |\n|---|---|---|---|---|\n", g.Title, g.Text)
		for _, m := range g.Metrics {
			name := "`" + m.Name + "`"
			if m.Ours {
				name = "*" + name + "*"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, m.Type, strings.Join(m.Labels, ", "), m.Unit, cell(m.Help))
		}
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
