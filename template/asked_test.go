package template

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// The texts of servers are kept from one file to the next. Those of hosts that
// nothing changed in change all the same where nginx begins to ask itself, or
// ceases to.
func TestServersAreAskedFromTheFirstAuthOn(t *testing.T) {
	r, err := New(Environment{Own: "/own.sock", Opened: "/opened.sock"})
	if err != nil {
		t.Fatal(err)
	}
	location := model.Location{Path: "/", Route: "0123456789ab"}
	plain := []model.Server{{Host: "", Locations: []model.Location{location}}, {Host: "a.example.org", Locations: []model.Location{location}}}
	location.Auth = true
	asking := append(plain[:2:2], model.Server{Host: "b.example.org", Locations: []model.Location{location}})
	for _, step := range []struct {
		servers []model.Server
		want    string // the hosts, beside all others, that listen there
	}{{plain, ""}, {asking, "b.example.org"}, {plain, ""}, {asking, "b.example.org"}} {
		conf, err := r.Conf(&model.Config{Servers: step.servers})
		if err != nil {
			t.Fatal(err)
		}
		asked := ""
		for _, s := range step.servers {
			if strings.Contains(conf.Server(s.Host), "listen unix:/own.sock proxy_protocol") {
				asked += s.Host + " "
			}
		}
		if strings.TrimSpace(asked) != strings.TrimSpace(step.want) {
			t.Errorf("nginx asks itself for %q, want %q", asked, step.want)
		}
		if own := strings.Contains(conf.Server(""), "listen unix:/own.sock proxy_protocol default_server;"); own != (step.want != "") {
			t.Errorf("the server of all other hosts listens there: %v", own)
		}
	}
}
