package e2e

import (
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Websockets outlive any number of endpoint changes.
func TestWebsocketsSurviveEndpointChanges(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Serve(t, cluster.EchoSockets(), "10.244.55.1:8080")
		cluster.Echo(t, "web", "10.244.55.2:8080")
		w.Apply(t, service("sockets", "10.244.55.1")+service("web", "10.244.55.2")+
			ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "sockets"), rule("Prefix", "b.example.org", "/", "web")}}.String())
		s := w.launch(t)
		var open []*websocket.Conn
		for range 20 {
			open = append(open, s.DialSocket(t, "a.example.org", "/socket"))
		}
		before := s.Workers()
		for i := range 200 {
			address := "10.244.55.1"
			if i%2 == 0 {
				address = "10.244.55.9" // the sockets' own backend is taken off the list, too
			}
			w.Apply(t, slice("sockets", "sockets-1", address))
		}
		w.Apply(t, slice("web", "web-1"))
		becomes(t, s, "http://b.example.org/", "503") // the last of the changes is live
		for i, c := range open {
			if err := cluster.EchoOnce(c, fmt.Sprint("message ", i)); err != nil {
				t.Errorf("websocket %d: %v", i, err)
			}
		}
		if after := s.Workers(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("workers were %v, now they are %v: endpoints made a reload", before, after)
		}
	})
}

// A reload ends no websocket either: old workers keep theirs.
func TestWebsocketsSurviveAReload(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Serve(t, cluster.EchoSockets(), "10.244.56.1:8080")
		cluster.Echo(t, "web", "10.244.56.2:8080")
		w.Apply(t, service("sockets", "10.244.56.1")+service("web", "10.244.56.2")+web("web", "a.example.org", "sockets").String())
		s := w.launch(t)
		c := s.DialSocket(t, "a.example.org", "/")
		w.Apply(t, web("more", "b.example.org", "web").String())
		becomes(t, s, "http://b.example.org/", "web")
		if err := cluster.EchoOnce(c, "still here"); err != nil {
			t.Error(err)
		}
		c.CloseNow()
	})
}
