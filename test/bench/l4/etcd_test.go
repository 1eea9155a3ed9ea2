package main

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestCastLeavesNothingOfTheMould(t *testing.T) {
	codec := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	m := &mould{encode: codec, service: newService(moulded), slice: newSlice(moulded, endpointsOf(moulded))}
	m.address = &networkingv1.IPAddress{Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{Name: serviceName(moulded)}}}
	m.service.ResourceVersion, m.service.UID = "7", "the mould's"
	m.service.Spec.ClusterIPs = []string{clusterIP(moulded).String()}
	seen := map[string]bool{}
	for _, i := range []int{2, 3} {
		puts, err := m.cast(i)
		if err != nil || len(puts) != 3 {
			t.Fatalf("cast(%d) = %d objects, %v, want 3", i, len(puts), err)
		}
		for _, p := range puts {
			if seen[string(p.Key)] {
				t.Errorf("%s is written twice", p.Key)
			}
			seen[string(p.Key)] = true
			for _, left := range []string{serviceName(moulded), clusterIP(moulded).String(), "the mould's", endpointsOf(moulded)[1].String()} {
				if bytes.Contains(p.Value, []byte(left)) {
					t.Errorf("%s has %q in it", p.Key, left)
				}
			}
		}
		got, err := runtime.Decode(codec, puts[0].Value)
		s, ok := got.(*corev1.Service)
		if err != nil || !ok || s.Name != serviceName(i) || s.Spec.ClusterIP != clusterIP(i).String() || s.ResourceVersion != "" || len(s.UID) != 36 {
			t.Errorf("etcd is to hold %+v, %v", got, err)
		}
	}
	if m.service.Name != serviceName(moulded) || m.slice.Endpoints[0].Addresses[0] != endpointsOf(moulded)[0].String() {
		t.Error("the mould was changed")
	}
}
