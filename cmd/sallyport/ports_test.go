package main

import (
	"maps"
	"testing"
)

func TestPortsInNginxConf(t *testing.T) {
	got := portsIn([]byte(`
        listen 80 default_server reuseport;
        listen [::]:80 default_server;
    listen 8090 default_server;
    listen *:8091;
        listen unix:/run/sallyport/opened.sock ssl;
        # listen 1;
        add_header x "
listen to me";
        listen 9000 udp reuseport;
        listen 443 ssl default_server;
        listen 443 quic default_server reuseport;
        listen 9001 proxy_protocol reuseport;
listen`))
	want := map[port]bool{{80, false}: true, {8090, false}: true, {8091, false}: true, {9000, true}: true, {443, false}: true, {443, true}: true, {9001, false}: true}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
