package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestZoneOfTheNode(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "ingress")
	node := func(name, zone string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: zone}}}
	}
	pod := func(name, node string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ingress", Name: name}, Spec: corev1.PodSpec{NodeName: node}}
	}
	client := fake.NewClientset(node("one", "a"), node("two", "b"), node("bare", ""), pod("first", "one"), pod("second", "two"), pod("third", "bare"), pod("nowhere", ""), pod("lost", "gone"))
	for _, c := range []struct{ pod, node, want, reason string }{
		{"first", "", "a", ""},
		{"second", "", "b", ""},
		{"second", "one", "a", ""},
		{"third", "", "", "no label"},
		{"nowhere", "", "", "on no node"},
		{"lost", "", "", "not found"},
		{"unknown", "", "", "not found"},
	} {
		t.Setenv("POD_NAME", c.pod)
		t.Setenv("NODE_NAME", c.node)
		got, err := zoneOf(t.Context(), client)
		if got != c.want || (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("pod %s: %q, %v", c.pod, got, err)
		}
	}
}
