package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// usualLabels are those of the charts' controllers.
const usualLabels = "app.kubernetes.io/component=controller,app.kubernetes.io/name in (sallyport,ingress-nginx)"

// plugin is one run of this program.
type plugin struct {
	o              options
	stdout, stderr io.Writer
	exec           executor

	config    *rest.Config
	client    kubernetes.Interface
	namespace string
}

// connect reads the kubeconfig, as kubectl does.
func (p *plugin) connect() error {
	if p.client != nil {
		return nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = p.o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: p.o.Context}
	overrides.Context.Namespace = p.o.Namespace
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return fmt.Errorf("no cluster to ask (--kubeconfig, --context): %w", err)
	}
	config.UserAgent = "kubectl-sallyport/" + version
	if p.namespace, _, err = kubeconfig.Namespace(); err != nil {
		return err
	}
	p.config = config
	p.client, err = kubernetes.NewForConfig(config)
	return err
}

// pod is the controller's that is asked: one that is ready before others, then
// the first by name.
func (p *plugin) pod(ctx context.Context) (*corev1.Pod, error) {
	if err := p.connect(); err != nil {
		return nil, err
	}
	pods := p.client.CoreV1().Pods(p.namespace)
	if p.o.Pod != "" {
		pod, err := pods.Get(ctx, p.o.Pod, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return pod, nil
	}
	selector, err := p.selector(ctx)
	if err != nil {
		return nil, err
	}
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("no pod in namespace %s has the labels %q; name the controller's by -n and --pod, --deployment or --selector", p.namespace, selector)
	}
	found := slices.MinFunc(list.Items, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Name, b.Name))
	})
	return &found, nil
}

// rank is 0 for a pod that is ready, more for others.
func rank(pod *corev1.Pod) int {
	if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
		return 2
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return 0
		}
	}
	return 1
}

func (p *plugin) selector(ctx context.Context) (string, error) {
	if p.o.Selector != "" {
		if _, err := labels.Parse(p.o.Selector); err != nil {
			return "", usagef("--selector: %v", err)
		}
		return p.o.Selector, nil
	}
	if p.o.Deployment == "" {
		return usualLabels, nil
	}
	var of *metav1.LabelSelector
	d, err := p.client.AppsV1().Deployments(p.namespace).Get(ctx, p.o.Deployment, metav1.GetOptions{})
	if err == nil {
		of = d.Spec.Selector
	} else if apierrors.IsNotFound(err) {
		set, err := p.client.AppsV1().DaemonSets(p.namespace).Get(ctx, p.o.Deployment, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("neither a Deployment nor a DaemonSet: %w", err)
		}
		of = set.Spec.Selector
	} else {
		return "", err
	}
	selector, err := metav1.LabelSelectorAsSelector(of)
	if err != nil {
		return "", err
	}
	return selector.String(), nil
}

// container is the controller's in a pod.
func (p *plugin) container(pod *corev1.Pod) (string, error) {
	all := pod.Spec.Containers
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	for _, name := range []string{p.o.Container, "controller", "sallyport"} {
		if name != "" && slices.Contains(names, name) {
			return name, nil
		}
		if name != "" && name == p.o.Container {
			return "", fmt.Errorf("pod %s has no container %q but %s", pod.Name, name, strings.Join(names, ", "))
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("pod %s has no containers", pod.Name)
	}
	return names[0], nil
}

// An executor runs a command in a container. It is where this program ends and a
// kubelet begins.
type executor func(ctx context.Context, config *rest.Config, request *rest.Request, stdout, stderr io.Writer) error

// overTheAPI asks for a websocket, and for SPDY where that is refused on the way.
func overTheAPI(ctx context.Context, config *rest.Config, request *rest.Request, stdout, stderr io.Writer) error {
	websocket, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	if err != nil {
		return err
	}
	either, err := remotecommand.NewFallbackExecutor(websocket, spdy, func(error) bool { return true })
	if err != nil {
		return err
	}
	return either.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
}

// command is the request to run a command in a container.
func (p *plugin) command(pod *corev1.Pod, container string, words ...string) *rest.Request {
	return p.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: words, Stdout: true, Stderr: true}, scheme.ParameterCodec)
}

// inPod runs a command beside the controller. What it says of a failure is on
// standard error, and its status is what went wrong.
func (p *plugin) inPod(ctx context.Context, stdout io.Writer, words ...string) error {
	pod, err := p.pod(ctx)
	if err != nil {
		return err
	}
	container, err := p.container(pod)
	if err != nil {
		return err
	}
	if err := p.exec(ctx, p.config, p.command(pod, container, words...), stdout, p.stderr); err != nil {
		return fmt.Errorf("in pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// dbg asks the controller. A word that looks like a flag is none of ours.
func (p *plugin) dbg(ctx context.Context, words []string, stdout io.Writer) error {
	if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") || w == "" }) {
		return &usageError{errors.New("a name can't be empty or begin with a dash")}
	}
	return p.inPod(ctx, stdout, append([]string{"sallyport", "dbg"}, words...)...)
}
