package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// confOf prints the servers of nginx.conf that a host has.
func (p *plugin) confOf(ctx context.Context, host string) error {
	var conf bytes.Buffer
	if err := p.dbg(ctx, []string{"conf"}, &conf); err != nil {
		return err
	}
	servers := serversOf(conf.String(), host)
	if servers == "" {
		return fmt.Errorf("nginx.conf has no server for %q", host)
	}
	_, err := io.WriteString(p.stdout, servers)
	return err
}

// serversOf picks server blocks by a word of their server_name. nginx.conf has
// them all at the same depth.
func serversOf(conf, host string) string {
	var all, block strings.Builder
	within, matches := false, false
	for line := range strings.Lines(conf) {
		if line == "    server {\n" {
			within, matches = true, false
			block.Reset()
		}
		if !within {
			continue
		}
		block.WriteString(line)
		if names, ok := strings.CutPrefix(line, "        server_name "); ok {
			matches = matches || slices.Contains(strings.Fields(strings.TrimSuffix(strings.TrimSpace(names), ";")), host)
		}
		if line == "    }\n" {
			within = false
			if matches {
				all.WriteString(block.String())
			}
		}
	}
	return all.String()
}

func (p *plugin) logs(ctx context.Context) error {
	pod, err := p.pod(ctx)
	if err != nil {
		return err
	}
	o := &corev1.PodLogOptions{Follow: p.o.Follow}
	if o.Container, err = p.container(pod); err != nil {
		return err
	}
	if p.o.Tail >= 0 {
		o.TailLines = &p.o.Tail
	}
	stream, err := p.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, o).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = io.Copy(p.stdout, stream)
	return err
}

// info is where the controller can be reached.
func (p *plugin) info(ctx context.Context) error {
	pod, err := p.pod(ctx)
	if err != nil {
		return err
	}
	container, err := p.container(pod)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "pod: %s/%s\nphase: %s\nready: %v\nnode: %s\naddress: %s\n", pod.Namespace, pod.Name, pod.Status.Phase, rank(pod) == 0, pod.Spec.NodeName, pod.Status.PodIP)
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			fmt.Fprintf(p.stdout, "image: %s\n", c.Image)
		}
	}
	services, err := p.client.CoreV1().Services(pod.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, s := range services.Items {
		if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			continue
		}
		fmt.Fprintf(p.stdout, "service: %s %s cluster=%s external=%s\n", s.Name, s.Spec.Type, orDash(s.Spec.ClusterIP), orDash(strings.Join(external(s), ",")))
	}
	return nil
}

func external(s corev1.Service) []string {
	all := slices.Clone(s.Spec.ExternalIPs)
	for _, i := range s.Status.LoadBalancer.Ingress {
		all = append(all, i.IP+i.Hostname)
	}
	return all
}

// versions are this program's, which needs no cluster, and the controller's.
func (p *plugin) versions(ctx context.Context) error {
	fmt.Fprintln(p.stdout, "kubectl-sallyport", version)
	return p.dbg(ctx, []string{"general"}, p.stdout)
}

// ingresses is a line for each path.
func (p *plugin) ingresses(ctx context.Context) error {
	if err := p.connect(); err != nil {
		return err
	}
	namespace := p.namespace
	if p.o.AllNamespaces {
		namespace = ""
	}
	list, err := p.client.NetworkingV1().Ingresses(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	counts, err := p.endpointCounts(ctx, namespace)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tINGRESS\tCLASS\tHOST+PATH\tADDRESSES\tTLS\tSERVICE\tPORT\tENDPOINTS")
	for _, ing := range list.Items {
		for _, r := range rowsOf(&ing) {
			if p.o.Host != "" && r.host != p.o.Host {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", ing.Namespace, ing.Name, classOf(&ing), orStar(r.host)+r.path,
				orDash(strings.Join(addressesOf(&ing), ",")), yesNo(r.tls), orDash(r.service), orDash(r.port), counts[ing.Namespace+"/"+r.service])
		}
	}
	return w.Flush()
}

// A row is one path of an Ingress.
type row struct {
	host, path, service, port string
	tls                       bool
}

func rowsOf(ing *networkingv1.Ingress) []row {
	var rows []row
	add := func(host, path string, b *networkingv1.IngressBackend) {
		r := row{host: host, path: path}
		for _, section := range ing.Spec.TLS {
			r.tls = r.tls || slices.Contains(section.Hosts, host) || len(section.Hosts) == 0
		}
		if b != nil && b.Service != nil {
			r.service, r.port = b.Service.Name, b.Service.Port.Name
			if r.port == "" {
				r.port = fmt.Sprint(b.Service.Port.Number)
			}
		}
		rows = append(rows, r)
	}
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil {
			add(rule.Host, "", ing.Spec.DefaultBackend)
			continue
		}
		for _, path := range rule.HTTP.Paths {
			add(rule.Host, path.Path, &path.Backend)
		}
	}
	if ing.Spec.DefaultBackend != nil {
		add("", "", ing.Spec.DefaultBackend)
	}
	return rows
}

// endpointCounts are the ready endpoints of each Service.
func (p *plugin) endpointCounts(ctx context.Context, namespace string) (map[string]int, error) {
	list, err := p.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				counts[slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName]]++
			}
		}
	}
	return counts, nil
}

func classOf(ing *networkingv1.Ingress) string {
	if ing.Spec.IngressClassName != nil {
		return *ing.Spec.IngressClassName
	}
	return orDash(ing.Annotations["kubernetes.io/ingress.class"])
}

func addressesOf(ing *networkingv1.Ingress) []string {
	var all []string
	for _, i := range ing.Status.LoadBalancer.Ingress {
		all = append(all, i.IP+i.Hostname)
	}
	return all
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orStar(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
