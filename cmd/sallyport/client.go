package main

import (
	"fmt"
	"net"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// client is that of the cluster, nil where objects come from a folder.
func (o *options) client() (kubernetes.Interface, error) {
	if o.Manifests != "" {
		return nil, nil
	}
	config, err := o.clusterConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to read from (--kubeconfig, --apiserver-host, or a pod's service account; --manifests reads a folder): %w", err)
	}
	// The API server has a limit for each client (priority and fairness), and
	// what writes has one of its own. A limit here would only make the first
	// state late.
	config.QPS = -1
	config.AcceptContentTypes, config.ContentType = "application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"
	config.UserAgent = "sallyport/" + version
	return kubernetes.NewForConfig(config)
}

func (o *options) clusterConfig() (*rest.Config, error) {
	if o.Kubeconfig == "" && o.APIServer == "" {
		return rest.InClusterConfig()
	}
	config, err := clientcmd.BuildConfigFromFlags(o.APIServer, o.Kubeconfig)
	if err == nil && o.CertificateAuthority != "" {
		config.TLSClientConfig.CAFile = o.CertificateAuthority
	}
	return config, err
}

// publishAddresses is --publish-status-address as a list.
func (o *options) publishAddresses() []string {
	var list []string
	for part := range strings.SplitSeq(o.PublishAddress, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// hasIPv6 says whether this machine can listen on IPv6 addresses.
func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}
