package chart

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// TestMain needs no control plane to write files.
func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		os.Exit(m.Run())
	}
	os.Exit(cluster.Run(m.Run))
}

// shared is the control plane of all tests. It ends with the process.
var shared = sync.OnceValues(cluster.Open)

func controlPlane(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatalf("control plane: %v", err)
	}
	return c
}
