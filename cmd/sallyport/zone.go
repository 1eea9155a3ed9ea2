package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// zonePause is after how long the zone is asked for again.
const zonePause = 10 * time.Second

// learnZone tells in which zone this pod's node is, as soon as the cluster says.
// A pod stays on its node, so once is enough.
func learnZone(ctx context.Context, client kubernetes.Interface, tell func(zone string), log *slog.Logger) {
	if client == nil {
		log.Warn("flag has no effect", "flag", "--enable-topology-aware-routing", "because", "a folder of manifests has no node that this pod is on")
		return
	}
	for {
		zone, err := zoneOf(ctx, client)
		if err == nil {
			log.Info("endpoints for the node's zone come first where there are hints", "zone", zone)
			tell(zone)
			return
		}
		log.Error("the node's zone is not known, and hints of zones do not count", "error", err, "again", zonePause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(zonePause):
		}
	}
}

func zoneOf(ctx context.Context, client kubernetes.Interface) (string, error) {
	node := os.Getenv("NODE_NAME")
	if node == "" {
		pod, err := client.CoreV1().Pods(os.Getenv("POD_NAMESPACE")).Get(ctx, os.Getenv("POD_NAME"), metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if node = pod.Spec.NodeName; node == "" {
			return "", errors.New("the pod is on no node")
		}
	}
	n, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	zone := n.Labels[corev1.LabelTopologyZone]
	if zone == "" {
		return "", fmt.Errorf("node %s has no label %s", node, corev1.LabelTopologyZone)
	}
	return zone, nil
}
