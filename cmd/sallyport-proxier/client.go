package main

import (
	"fmt"
	"log/slog"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sallyport-ingress/sallyport/controller/status"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// client is that of the cluster, nil where objects come from a folder.
func (o *options) client() (kubernetes.Interface, error) {
	if o.Manifests != "" {
		return nil, nil
	}
	config, err := o.clusterConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to read from (--kubeconfig, --master, or a pod's service account; --manifests reads a folder): %w", err)
	}
	config.QPS = -1 // the API server has a limit for each client
	config.AcceptContentTypes, config.ContentType = "application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"
	config.UserAgent = "sallyport-proxier/" + version
	return kubernetes.NewForConfig(config)
}

func (o *options) clusterConfig() (*rest.Config, error) {
	if o.Kubeconfig == "" && o.APIServer == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags(o.APIServer, o.Kubeconfig)
}

// store is where objects come from: the folder, or the cluster of client.
func (o *options) store(client kubernetes.Interface, log *slog.Logger) *store.Store {
	if client == nil {
		return store.NewFolder(o.Manifests, store.FolderOptions{Log: log})
	}
	return store.NewCluster(client, store.ClusterOptions{
		Proxier: &store.ProxierOptions{Node: o.nodeName(), ServiceProxyName: o.ServiceProxyName},
		Log:     log,
	})
}

// events is what writes Events to the cluster of client.
func (o *options) events(client kubernetes.Interface, log *slog.Logger) *status.Writer {
	return status.New(status.Options{
		Client: client, PodName: o.nodeName(), Component: "sallyport-proxier",
		DisableElection: true, // each node tells its own
		Log:             log,
	})
}
