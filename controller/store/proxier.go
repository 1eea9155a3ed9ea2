package store

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// LabelServiceProxyName marks a Service that another proxy than the cluster's
// own serves.
const LabelServiceProxyName = "service.kubernetes.io/service-proxy-name"

// ProxierOptions say what is read for the proxier of one node: Services, their
// EndpointSlices, and the Node.
type ProxierOptions struct {
	Node string
	// ServiceProxyName is the value of LabelServiceProxyName on the Services to
	// read; "" is those without it.
	ServiceProxyName string
}

// informers ask the API server for as little as its selectors can say. A slice
// need not have the labels of its Service, so for a proxy with a name all are
// read.
func (p *ProxierOptions) informers(f informers.SharedInformerFactory) map[kind]cache.SharedIndexInformer {
	ofServices, ofSlices := "!"+corev1.IsHeadlessService, "!"+corev1.IsHeadlessService
	if p.ServiceProxyName == "" {
		ofServices += ",!" + LabelServiceProxyName
		ofSlices += ",!" + LabelServiceProxyName
	} else {
		ofServices += "," + LabelServiceProxyName + "=" + p.ServiceProxyName
	}
	labelled := func(selector string) func(*metav1.ListOptions) {
		return func(o *metav1.ListOptions) { o.LabelSelector = selector }
	}
	return map[kind]cache.SharedIndexInformer{
		services: f.InformerFor(&corev1.Service{}, func(c kubernetes.Interface, every time.Duration) cache.SharedIndexInformer {
			return coreinformers.NewFilteredServiceInformer(c, metav1.NamespaceAll, every, cache.Indexers{}, labelled(ofServices))
		}),
		endpointSlices: f.InformerFor(&discoveryv1.EndpointSlice{}, func(c kubernetes.Interface, every time.Duration) cache.SharedIndexInformer {
			return discoveryinformers.NewFilteredEndpointSliceInformer(c, metav1.NamespaceAll, every, cache.Indexers{}, labelled(ofSlices))
		}),
		nodes: f.InformerFor(&corev1.Node{}, func(c kubernetes.Interface, every time.Duration) cache.SharedIndexInformer {
			return coreinformers.NewFilteredNodeInformer(c, every, cache.Indexers{}, func(o *metav1.ListOptions) {
				o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, p.Node).String()
			})
		}),
	}
}
