package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sync"
)

func mem() (heap, rss string, g int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "VmRSS") {
			rss = strings.TrimSpace(l[6:])
		}
	}
	return fmt.Sprintf("%.1fMB stacks %.1fMB", float64(m.HeapAlloc)/1e6, float64(m.StackInuse)/1e6), rss, runtime.NumGoroutine()
}

func par(n int, f func(i int)) {
	var w sync.WaitGroup
	c := make(chan int)
	for range 16 {
		w.Go(func() {
			for i := range c {
				f(i)
			}
		})
	}
	for i := range n {
		c <- i
	}
	close(c)
	w.Wait()
}

func TestReal(t *testing.T) {
	conf, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KC"))
	must(t, err)
	conf.QPS = -1
	conf.ContentType = "application/vnd.kubernetes.protobuf"
	conf.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	setup := kubernetes.NewForConfigOrDie(rest.CopyConfig(conf))
	ctx := context.Background()
	c := setup.CoreV1()
	_, _ = c.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	pem := []byte(strings.Repeat("x", 3000))
	path := networkingv1.PathTypePrefix
	par(1000, func(i int) {
		n := fmt.Sprintf("s%d", i)
		c.Secrets("a").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: n}, Data: map[string][]byte{"tls.crt": pem, "tls.key": pem[:1700]}}, metav1.CreateOptions{})
		c.Services("a").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: n}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}, metav1.CreateOptions{})
		setup.DiscoveryV1().EndpointSlices("a").Create(ctx, &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: n, Labels: map[string]string{discoveryv1.LabelServiceName: n}}, AddressType: "IPv4", Ports: []discoveryv1.EndpointPort{{Port: new(int32(80))}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.1.1.1"}}, {Addresses: []string{"10.1.1.2"}}}}, metav1.CreateOptions{})
		setup.NetworkingV1().Ingresses("a").Create(ctx, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: n}, Spec: networkingv1.IngressSpec{
			TLS:   []networkingv1.IngressTLS{{Hosts: []string{n + ".example.org"}, SecretName: n}},
			Rules: []networkingv1.IngressRule{{Host: n + ".example.org", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &path, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: n, Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}}, metav1.CreateOptions{})
	})
	h, r, g := mem()
	t.Log("before", h, r, g)
	s := NewCluster(kubernetes.NewForConfigOrDie(conf), ClusterOptions{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	start(t, s)
	begin := time.Now()
	wait(t, s, "settled", s.Settled)
	snap, _ := s.Take()
	t.Log("informers settled", time.Since(begin), len(snap.Ingresses), len(snap.Services), len(snap.Slices))
	h, r, g = mem()
	t.Log("informers", h, r, g)
	var w Wanted
	for i := range 1000 {
		w.Secrets = append(w.Secrets, key("a", fmt.Sprintf("s%d", i)))
	}
	w.Secrets = append(w.Secrets, key("a", "later"))
	begin = time.Now()
	s.Want(w)
	wait(t, s, "secrets", s.Settled)
	snap, _ = s.Take()
	t.Log("1000 secrets", time.Since(begin), len(snap.Secrets))
	time.Sleep(10 * time.Second)
	h, r, g = mem()
	t.Log("secrets", h, r, g)

	// latency
	var ds []float64
	for i := range 200 {
		sl, err := setup.DiscoveryV1().EndpointSlices("a").Get(ctx, fmt.Sprintf("s%d", i), metav1.GetOptions{})
		must(t, err)
		sl.Endpoints[0].Addresses[0] = fmt.Sprintf("10.%d.3.%d", 2+time.Now().Second(), i+1)
		b := time.Now()
		_, err = setup.DiscoveryV1().EndpointSlices("a").Update(ctx, sl, metav1.UpdateOptions{})
		must(t, err)
		wait(t, s, "slice", func() bool { _, c := s.Take(); return c.Endpoints[key("a", sl.Name)] })
		ds = append(ds, float64(time.Since(b).Microseconds())/1000)
	}
	sort.Float64s(ds)
	t.Logf("slice update call to Take: p50 %.1f ms p99 %.1f ms", ds[100], ds[197])

	b := time.Now()
	c.Secrets("a").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "later"}}, metav1.CreateOptions{})
	wait(t, s, "later", func() bool { sn, _ := s.Take(); return sn.Secrets[key("a", "later")] != nil })
	t.Log("missing secret made: seen after", time.Since(b))
	b = time.Now()
	c.Secrets("a").Delete(ctx, "later", metav1.DeleteOptions{})
	wait(t, s, "later gone", func() bool { sn, _ := s.Take(); return sn.Secrets[key("a", "later")] == nil })
	t.Log("deleted: seen after", time.Since(b))

	// limited rights
	setup.RbacV1().Roles("a").Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"networking.k8s.io", "discovery.k8s.io"}, Resources: []string{"ingresses", "endpointslices"}, Verbs: []string{"list", "watch", "get"}},
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch", "get"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"s1", "nosuch"}, Verbs: []string{"watch", "get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"s2"}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
	setup.RbacV1().RoleBindings("a").Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "r"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "r"},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: "limited"}}}, metav1.CreateOptions{})
	lim := rest.CopyConfig(conf)
	lim.Impersonate.UserName = "limited"
	time.Sleep(2 * time.Second)
	l := NewCluster(kubernetes.NewForConfigOrDie(lim), ClusterOptions{Namespace: "a", Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	l.Want(Wanted{Secrets: []Key{key("a", "s1"), key("a", "s2"), key("a", "s3"), key("a", "nosuch"), key("kube-system", "x")}})
	start(t, l)
	wait(t, l, "limited settled", l.Settled)
	time.Sleep(time.Second)
	ls, _ := l.Take()
	t.Log("limited", len(ls.Ingresses), len(ls.Secrets))
	for k, p := range ls.Problems {
		t.Log(k, p)
	}

	// server away
	pid, _ := os.ReadFile(os.Getenv("KDIR") + "/apiserver.pid")
	s.Take()
	must(t, exec.Command("kill", "-9", strings.TrimSpace(string(pid))).Run())
	time.Sleep(20 * time.Second)
	sn, ch := s.Take()
	t.Log("away: ", ch.Empty(), len(sn.Ingresses), len(sn.Secrets), len(sn.Services), len(sn.Problems))
	must(t, exec.Command("bash", "-c", os.Getenv("RESTART")).Run())
	b = time.Now()
	for i := 0; ; i++ {
		_, err := c.Secrets("a").Update(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s7"}, Data: map[string][]byte{"tls.crt": []byte("new")}}, metav1.UpdateOptions{})
		if err == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Log("server back after", time.Since(b))
	b = time.Now()
	all := Changes{}
	wait(t, s, "s7", func() bool {
		_, ch := s.Take()
		for k := range ch.Secrets {
			mark(&all.Secrets, k)
		}
		for k := range ch.Endpoints {
			mark(&all.Endpoints, k)
		}
		for k := range ch.Ingresses {
			mark(&all.Ingresses, k)
		}
		return ch.Secrets[key("a", "s7")]
	})
	t.Log("seen after", time.Since(b), "changes", all)
	time.Sleep(40 * time.Second)
	sn, ch = s.Take()
	h, r, g = mem()
	t.Log("after: ", ch, len(sn.Ingresses), len(sn.Secrets), h, r, g)
	b = time.Now()
	in, _ := setup.NetworkingV1().Ingresses("a").Get(ctx, "s9", metav1.GetOptions{})
	in.Spec.Rules[0].Host = fmt.Sprint(time.Now().Unix(), ".example.org")
	_, err = setup.NetworkingV1().Ingresses("a").Update(ctx, in, metav1.UpdateOptions{})
	must(t, err)
	wait(t, s, "ing", func() bool { _, ch := s.Take(); return ch.Ingresses[key("a", "s9")] })
	t.Log("ingress after restart seen in", time.Since(b))
}
