package iptables
import ("testing";"time";"fmt";"os";"context";"strings")
import "github.com/sallyport-ingress/sallyport/controller/proxier/plan"
func TestZZ(t *testing.T) {
	for _, mode := range []string{"idle","same","apply","canary", "other", "filter"} {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
			t.Run(mode+flavour, func(t *testing.T) {
			s := newScene(t)
			s.pods()
			one, other := "L"+onePod+":8080", "L"+otherPod+":8080"
			states := []*plan.Port{
				with(service("web", "10.96.0.10", 80, plan.TCP, one), nodePort(30080)),
				with(service("web", "10.96.0.10", 80, plan.TCP, one, other), nodePort(30080)),
			}
			b := backend(t, flavour)
			syncTo(t, b, planOf(settings(), states[0]))
			stop, failures := make(chan struct{}), make(chan string, 1)
			go s.keepAsking(stop, failures)
			end := time.Now().Add(4*time.Second)
			was := states[0]
			n := 0
			for i := 0; time.Now().Before(end); i++ {
				n++
				switch mode {
				case "idle": time.Sleep(100*time.Millisecond)
				case "same": syncTo(t, b, planOf(settings(), states[0]))
				case "apply": is := states[i%2]; apply(t, b, plan.Change{ID: is.ID, Was: was, Is: is}); was = is
				case "canary": bl := &block{table:"nat"}; bl.chain(chain{"SALLYPORT-PROBE", nobodys("-j RETURN")}); b.v4.commit(context.Background(), b.v4.runner, script{bl})
				case "filter": bl := &block{table:"filter"}; bl.chain(chain{"SALLYPORT-PROBE", nobodys("-j RETURN")}); b.v4.commit(context.Background(), b.v4.runner, script{bl})
				case "other": p := many(1)[0];c := plan.Change{ID: p.ID}; if i%2==0 { c.Is = p } else { c.Was = p}; apply(t, b, c)
				}
			}
			close(stop)
			fmt.Println(mode, flavour, n, <-failures)
			text, _ := os.ReadFile("/proc/thread-self/net/stat/nf_conntrack")
			fmt.Println(strings.ReplaceAll(string(text),"\n","\n    "))
			})
	}}
}
