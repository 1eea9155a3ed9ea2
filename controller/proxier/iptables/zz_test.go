package iptables
import ("testing";"time";"fmt";"context";"math/rand/v2";"runtime";"os";"strconv")
import "github.com/sallyport-ingress/sallyport/controller/proxier/plan"
func TestZZ(t *testing.T) {
	N,_ := strconv.Atoi(os.Getenv("N"))
	fl := os.Getenv("FL")
	apart(t)
	b := backend(t, fl)
	r := rand.New(rand.NewPCG(1,2))
	var ports []*plan.Port
	for i := range N { x := r.Uint32()&0xfffff
		ports = append(ports, service(fmt.Sprint("s",i), fmt.Sprintf("10.%d.%d.%d", 96+(x>>16), (x>>8)&255, x&255), 80, plan.TCP, fmt.Sprintf("10.244.%d.%d:80",i>>8,i&255), fmt.Sprintf("10.245.%d.%d:80",i>>8,i&255))) }
	st := time.Now(); syncTo(t,b,planOf(settings(), ports...)); fmt.Println(fl,"sync", N, time.Since(st))
	var ms runtime.MemStats; runtime.GC(); runtime.ReadMemStats(&ms); fmt.Println("heap MB", ms.HeapAlloc>>20)
	st = time.Now(); syncTo(t,b,planOf(settings(), ports...)); fmt.Println(fl,"resync", N, time.Since(st))
	for _, p := range ports[:4] { q := *p; q.Cluster = q.Cluster[:1]; st := time.Now(); apply(t,b,plan.Change{ID:p.ID,Was:p,Is:&q}); fmt.Println(fl,"apply", time.Since(st)) }
	st = time.Now(); ok:=intact(t,b); fmt.Println("intact", time.Since(st),ok)
	st = time.Now(); ok=intact(t,b); fmt.Println("intact", time.Since(st),ok)
	st = time.Now(); c,_:=b.Connections(context.Background()); fmt.Println("conns", time.Since(st),len(c))
	st = time.Now(); Cleanup(context.Background()); fmt.Println("cleanup", time.Since(st))
}
