package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// tellFlaws logs the known vulnerabilities of this nginx.
func tellFlaws(b nginx.Build, pkg string, log *slog.Logger) []nginx.Flaw {
	flaws, unsure := nginx.Flaws(b.Version, pkg)
	switch {
	case len(flaws) == 0:
	case unsure:
		log.Warn("nginx has known vulnerabilities, unless its package mends them", "nginx", b.VersionText, "package", pkg, "vulnerabilities", listed(flaws))
		return nil // it may well have none
	default:
		log.Warn("nginx has known vulnerabilities: install a newer one", "nginx", b.VersionText, "package", pkg, "vulnerabilities", listed(flaws))
	}
	return flaws
}

// flawed is the same as a problem of this pod's, which becomes an Event; none
// where that has no name.
func flawed(b nginx.Build, flaws []nginx.Flaw) []model.Problem {
	pod := model.Object{Kind: "Pod", Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME")}
	if len(flaws) == 0 || pod.Namespace == "" || pod.Name == "" {
		return nil
	}
	return []model.Problem{{Object: pod, Reason: "nginx " + b.VersionText + " has known vulnerabilities, install a newer one: " + listed(flaws)}}
}

func listed(flaws []nginx.Flaw) string {
	texts := make([]string, len(flaws))
	for i, f := range flaws {
		texts[i] = f.CVE + " (" + f.What + ")"
	}
	return strings.Join(texts, ", ")
}
