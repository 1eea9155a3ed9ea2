package compat

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// gRPC as its own library speaks it. It ends each call with a status in the
// trailer, of errors too, and that is what a proxy may lose.

// grpcServer serves health checks, of the service known, on an address. Each call
// has a header and a trailer of its own; those of a client come back in them.
func grpcServer(t *testing.T, address string, secured *tls.Config) {
	t.Helper()
	var options []grpc.ServerOption
	if secured != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secured)))
	}
	options = append(options,
		grpc.UnaryInterceptor(func(ctx context.Context, q any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			asked, _ := metadata.FromIncomingContext(ctx)
			if n, err := strconv.Atoi(strings.Join(asked["x-long"], "")); err == nil {
				_ = grpc.SetHeader(ctx, metadata.Pairs("x-long", strings.Repeat("a", n)))
			}
			_ = grpc.SetHeader(ctx, metadata.Pairs("x-head", strings.Join(asked["x-asked"], ",")))
			_ = grpc.SetTrailer(ctx, metadata.Pairs("x-tail", "two words", "x-tail-bin", "\x00\xff"))
			return handle(ctx, q)
		}),
		grpc.StreamInterceptor(func(s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			stream.SetTrailer(metadata.Pairs("x-tail", "of a stream"))
			return handle(s, stream)
		}))
	server := grpc.NewServer(options...)
	checks := health.NewServer()
	checks.SetServingStatus("known", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, checks)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	go func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("gRPC backend: %v", err)
		}
	}()
}

// calls makes one call and says what came of it. It is made once.
func calls(f func(ctx context.Context, health grpc_health_v1.HealthClient) string) func(c client) string {
	return func(c client) string {
		conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), grpc.WithDisableRetry(), grpc.WithAuthority(c.host),
			grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
		if err != nil {
			c.t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return f(metadata.AppendToOutgoingContext(ctx, "x-asked", "a"), grpc_health_v1.NewHealthClient(conn))
	}
}

// checks asks for the health of a service.
func checks(service string) func(c client) string {
	return calls(func(ctx context.Context, h grpc_health_v1.HealthClient) string {
		var head, tail metadata.MD
		r, err := h.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.Header(&head), grpc.Trailer(&tail))
		s := status.Convert(err)
		return fmt.Sprintf("%s %q %s head=%q tail=%q bin=%q", s.Code(), s.Message(), r.GetStatus(), head["x-head"], tail["x-tail"], tail["x-tail-bin"])
	})
}

// watches is a stream, of which it takes the first message and then ends it.
var watches = calls(func(ctx context.Context, h grpc_health_v1.HealthClient) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "known"})
	if err != nil {
		return status.Code(err).String()
	}
	first, err := stream.Recv()
	if err != nil {
		return status.Code(err).String()
	}
	cancel()
	_, err = stream.Recv()
	return first.GetStatus().String() + " " + status.Code(err).String()
})

// codeOf is the code of such a call.
func codeOf(c client) string {
	code, _, _ := strings.Cut(checks("known")(c), " ")
	return code
}

func grpcGroup() group {
	const tail = ` head=["a"] tail=["two words"] bin=["\x00\xff"]`
	proofOf := func(protocol, service string) proof {
		return proof{
			keys: []string{"backend-protocol"}, annotations: map[string]string{"backend-protocol": protocol, "proxy-read-timeout": "2", "proxy-send-timeout": "2"}, service: service,
			probes: []probe{
				{"a call", checks("known"), `OK "" SERVING` + tail},
				{"an error", checks("unknown"), `NotFound "unknown service" UNKNOWN` + tail},
				{"a stream", watches, "SERVING Canceled"},
			},
		}
	}
	return group{name: "grpc", cases: []proof{
		proofOf("GRPC", "clear"), proofOf("GRPCS", "secure"),
		// Nobody is there: the client's library knows it by the status.
		{annotations: map[string]string{"backend-protocol": "GRPC"}, service: "none", probes: []probe{{"a call", codeOf, "Unavailable"}}},
		// Nor may a refusal look like an answer.
		{annotations: map[string]string{"backend-protocol": "GRPC", "whitelist-source-range": "203.0.113.7"}, service: "clear", probes: []probe{{"a call", codeOf, "PermissionDenied"}}},
	}, objects: func(t *testing.T, g *site) string {
		grpcServer(t, g.address(10)+":8080", nil)
		grpcServer(t, g.address(11)+":8080", &tls.Config{Certificates: []tls.Certificate{newPKI(t).pair("inner.example.org")}})
		return service("clear", g.address(10)) + "---\n" + service("secure", g.address(11)) + "---\n" + service("none")
	}}
}

// longHead says how a call ends whose answer has a header of 20 KB.
var longHead = calls(func(ctx context.Context, h grpc_health_v1.HealthClient) string {
	_, err := h.Check(metadata.AppendToOutgoingContext(ctx, "x-long", "20000"), &grpc_health_v1.HealthCheckRequest{Service: "known"})
	return status.Code(err).String()
})
