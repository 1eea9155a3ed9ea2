package userspace
import ("testing";"os/exec";"github.com/sallyport-ingress/sallyport/controller/proxier/plan";"net/netip")
func TestZZ(t *testing.T){
 needsNetwork(t)
 l := newLab(t); 
		limited := clusterIP("198.51.100.3:80")
		limited.Kind, limited.Sources = plan.LoadBalancerIP, prefixes("10.1.1.0/24", "192.0.2.1/32")
 p:=port("limited", plan.TCP, plan.IPv4, []plan.Frontend{limited,{Kind:plan.NodePort,Port:30000},clusterIP("10.96.0.1:80")}, at("10.1.0.2:8080", true))
 _=netip.Addr{}
 l.ports[p.ID]=p
 l.sync(t)
 b,_:=exec.Command("nft","list","table","ip","sallyport-userspace").CombinedOutput()
 t.Logf("%s",b)
 b,_=exec.Command("nft","--debug=netlink","list","table","ip","sallyport-userspace").CombinedOutput()
 t.Logf("%s",b)
}
