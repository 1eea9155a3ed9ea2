//go:build tools

// Package kube pins the Kubernetes programs that tests run for real: its
// go.mod says which versions, and this file keeps `go mod tidy` from dropping
// them.
package kube

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
)
