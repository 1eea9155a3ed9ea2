package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

const manyIngresses = 1000

// ingress measures how long it takes from a new Ingress at the API server until
// its first 200, with many Ingresses there, on this machine's nginx.
func ingress(s *lab.Session, b *bench) []lab.Row {
	r := ingressOn(s, b, "", "this machine's nginx")
	r.Reach, r.Verdict = "", lab.Unasked // the aim is for Debian 13
	return []lab.Row{r}
}

// ingressDebian13 is ingress on the nginx of Debian 13, whose Lua module shares
// what earlier ones make for each location.
func ingressDebian13(s *lab.Session, b *bench) []lab.Row {
	root := os.Getenv(debian13Variable)
	if root == "" {
		s.Fatalf("no Debian 13: %s", os.Getenv(missingVariable))
	}
	inside := *b
	inside.nginx = "/usr/sbin/nginx"
	return []lab.Row{ingressOn(s, &inside, root, "Debian 13's nginx")}
}

func ingressOn(s *lab.Session, b *bench, root, whose string) lab.Row {
	const trials = 50
	w := newWorld(s, manyIngresses, nil)
	w.startProduct(s, b, root, host(manyIngresses-1))
	var sent, answered []time.Duration
	lost := newTally()
	for i := range trials {
		x, y := ingressTrial(s, w, i, lost)
		sent, answered = append(sent, x), append(answered, y)
		time.Sleep(rand.N(time.Second))
	}
	const p50, p99 = 300 * time.Millisecond, 800 * time.Millisecond
	of := fmt.Sprintf("1,000 Ingresses, %s; from sending it", nginxVersion(s, b.nginx, root))
	of += fmt.Sprintf("; from the API server's answer: p50 %s, p99 %s", lab.MS(lab.Quantile(answered, 0.5)), lab.MS(lab.Quantile(answered, 0.99)))
	of += fmt.Sprintf("; %d of %d polls lost their connection", lost.failed(), lost.requests)
	return lab.Latency("a new Ingress → first 200, on "+whose, sent, p50, p99, of)
}

// ingressTrial polls a host that isn't there yet. No response may come before
// its first 200 but a 404. A poll without a response is counted.
func ingressTrial(s *lab.Session, w *world, i int, lost *tally) (sent, answered time.Duration) {
	name := fmt.Sprintf("new-%04d", i)
	k := &client{address: httpAddress(), request: get(name+".example.org", "/")}
	defer k.close()
	create := func() error {
		o := newIngress(name, name+".example.org", service(i), "/")
		_, err := w.client.NetworkingV1().Ingresses(space).Create(context.Background(), o, metav1.CreateOptions{})
		return err
	}
	return untilSeen(s, k, create, func() bool {
		a, err := k.do()
		if err != nil {
			lost.count(a, err)
			return false
		}
		if a.status != http.StatusOK && a.status != http.StatusNotFound {
			s.Fatalf("request while an Ingress comes: status %d", a.status)
		}
		lost.count(answer{status: http.StatusOK}, nil)
		return a.status == http.StatusOK
	})
}

// nginxVersion is what nginx says it is, such as "nginx/1.26.3".
func nginxVersion(s *lab.Session, binary, root string) string {
	c := exec.Command(binary, "-v")
	c.Dir = "/"
	if root != "" {
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	out, err := c.CombinedOutput()
	s.Must(err, "nginx -v")
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), ": ")
	return strings.TrimPrefix(version, "nginx version: ")
}
