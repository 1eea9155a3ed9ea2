package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
)

// A mould is a Service as the API server makes it, with all that it fills in.
// Others are cast from it straight into etcd. By the front door the API server
// counts all addresses that are taken for each one that it gives out: ten
// thousand Services take it a minute, and thirty thousand a quarter of an hour.
// All that is read and changed later on goes through the API server.
type mould struct {
	etcd    string // URL
	encode  runtime.Encoder
	service *corev1.Service
	address *networkingv1.IPAddress // says that the cluster IP is taken
	slice   *discoveryv1.EndpointSlice
}

// moulded is the Service that the others are cast from.
const moulded = 1

func (w *world) newMould(ctx context.Context) (*mould, error) {
	m := &mould{etcd: w.etcd, encode: protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)}
	none := metav1.GetOptions{}
	var err error
	if m.service, err = w.client.CoreV1().Services(space).Get(ctx, serviceName(moulded), none); err != nil {
		return nil, err
	}
	if m.address, err = w.client.NetworkingV1().IPAddresses().Get(ctx, clusterIP(moulded).String(), none); err != nil {
		return nil, err
	}
	m.slice, err = w.client.DiscoveryV1().EndpointSlices(space).Get(ctx, newSlice(moulded, nil).Name, none)
	return m, err
}

// cast gives what etcd is to hold of a Service: three pairs of key and value.
func (m *mould) cast(i int) ([]put, error) {
	service, address, slice := m.service.DeepCopy(), m.address.DeepCopy(), m.slice.DeepCopy()
	ip := clusterIP(i).String()
	service.Name, service.Spec.ClusterIP, service.Spec.ClusterIPs = serviceName(i), ip, []string{ip}
	address.Name, address.Spec.ParentRef.Name = ip, service.Name
	wanted := newSlice(i, endpointsOf(i))
	slice.Name, slice.Labels, slice.Endpoints = wanted.Name, wanted.Labels, wanted.Endpoints
	var puts []put
	for _, o := range []struct {
		object interface {
			runtime.Object
			metav1.Object
		}
		kind schema.GroupVersionKind
		key  string
	}{
		{service, corev1.SchemeGroupVersion.WithKind("Service"), "/registry/services/specs/" + space + "/" + service.Name},
		{address, networkingv1.SchemeGroupVersion.WithKind("IPAddress"), "/registry/ipaddresses/" + ip},
		{slice, discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), "/registry/endpointslices/" + space + "/" + slice.Name},
	} {
		o.object.SetUID(uuid.NewUUID())
		o.object.SetResourceVersion("") // etcd's own
		o.object.GetObjectKind().SetGroupVersionKind(o.kind)
		var value bytes.Buffer
		if err := m.encode.Encode(o.object, &value); err != nil {
			return nil, fmt.Errorf("%s: %w", o.key, err)
		}
		puts = append(puts, put{Key: []byte(o.key), Value: value.Bytes()})
	}
	return puts, nil
}

// A put is one key and its value, as etcd's JSON has them.
type put struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// castRange writes the Services from first up to, but without, last: in one
// transaction, which etcd bounds to 128 operations.
func (m *mould) castRange(ctx context.Context, first, last int) error {
	type operation struct {
		Put put `json:"requestPut"`
	}
	var transaction struct {
		Success []operation `json:"success"`
	}
	for i := first; i < last; i++ {
		puts, err := m.cast(i)
		if err != nil {
			return err
		}
		for _, p := range puts {
			transaction.Success = append(transaction.Success, operation{p})
		}
	}
	body, err := json.Marshal(transaction)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.etcd+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("etcd: status %d: %s", response.StatusCode, text)
	}
	return nil
}
