package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
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
		"cmd/sallyport/README.md":         flagsPage(),
	}
}

func annotationPage() string {
	return page("Annotations", "What an Ingress may say in its annotations. The names start with `"+annotation.DefaultPrefix+
		"/`, or with what `--annotations-prefix` says. An annotation that is not here is a problem, with an Event; one that would restrict access and is not here closes its Ingress with 503.", annotation.Docs())
}

func settingsPage() string {
	return page("ConfigMap", "What the ConfigMap of `--configmap` may say, as `data`. A key that is not here, or has a wrong value, is a problem, with an Event on the ConfigMap.", settings.Docs())
}

const generated = "<!-- Written by `make docs`. -->\n"

func page(title, intro string, docs []option.Doc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# %s\n\n%s\n\n| name | what it does | value | default |\n|---|---|---|---|\n", generated, title, intro)
	for _, d := range docs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, cell(d.Text), cell(d.Values), cell(d.Default))
	}
	return b.String()
}

func flagsPage() string {
	var o options
	return generated + "\n# Flags\n\n```\n" + o.flagSet().FlagUsagesWrapped(110) + "```\n"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
