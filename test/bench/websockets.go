package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// websockets counts the ones that still carry messages after each endpoint that
// they are connected to has left, many times over.
func websockets(s *lab.Session, b *bench) []lab.Row {
	const sockets, hosts, changes = 50, 10, 200
	w := newWorld(s, hosts, nil)
	w.startProduct(s, b, "", host(hosts-1))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	conns := make([]*websocket.Conn, sockets)
	for i := range conns {
		url := fmt.Sprintf("ws://%s/socket", httpAddress())
		conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Host: host(i % hosts)})
		s.Must(err, "websocket")
		s.Cleanup(func() { conn.CloseNow() })
		s.Must(echoes(ctx, conn, "before"), "websocket")
		conns[i] = conn
	}
	for i := range changes {
		endpointTrial(s, w, i%hosts) // waits until the change is live
	}
	open, first := 0, ""
	for i, conn := range conns {
		if err := echoes(ctx, conn, fmt.Sprintf("after %d", i)); err == nil {
			open++
		} else if first == "" {
			first = "; first: " + lab.OneLine(err.Error())
		}
	}
	return []lab.Row{{
		Measure: "websockets still open after 200 endpoint changes", Reach: "all",
		Measured: fmt.Sprintf("%d of %d", open, sockets), Verdict: lab.VerdictOf(open == sockets),
		Of: fmt.Sprintf("%d changes, each seen live; each takes away the endpoint of %d websockets%s", changes, sockets/hosts, first),
	}}
}

// echoes sends a message and wants it back.
func echoes(ctx context.Context, conn *websocket.Conn, message string) error {
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return err
	}
	_, back, err := conn.Read(ctx)
	if err == nil && string(back) != message {
		err = fmt.Errorf("sent %q, got %q", message, back)
	}
	return err
}
