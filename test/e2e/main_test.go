// Package e2e turns the sentences that promise users something into requests to
// the built binary, with a real nginx behind it and a real control plane or a
// folder of manifests before it.
//
// It may not import a package of the product, and it may not send a request
// that is judged a second time.
package e2e

import (
	"os"
	"sync"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m.Run)) }

// shared is the control plane of all tests. It is wiped before each, and ends
// with the process.
var shared = sync.OnceValues(cluster.Open)

// A world is a source of objects, and the Sallyport that reads it.
type world struct {
	source
	name string // "folder" or "cluster"
}

// eachSource runs a test on a folder and on a cluster.
func eachSource(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("folder", func(t *testing.T) { test(t, inFolder(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, inCluster(t)) })
}

func inFolder(t *testing.T) *world {
	t.Helper()
	w := &world{source: &folder{dir: t.TempDir()}, name: "folder"}
	w.Apply(t, nginxClass)
	return w
}

func inCluster(t *testing.T) *world {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatalf("control plane: %v", err)
	}
	c.Wipe(t)
	w := &world{source: &live{c}, name: "cluster"}
	w.Apply(t, nginxClass)
	return w
}

// cluster is the control plane, where the world is one.
func (w *world) cluster() *cluster.Cluster { return w.source.(*live).Cluster }

// launch starts Sallyport on this world. What was applied before is live when
// it returns, as readiness promises.
func (w *world) launch(t *testing.T, args ...string) *cluster.Sallyport {
	t.Helper()
	return w.launchWith(t, cluster.Options{Args: args})
}

func (w *world) launchWith(t *testing.T, o cluster.Options) *cluster.Sallyport {
	t.Helper()
	o.Args = append(w.args(t), o.Args...)
	return cluster.Launch(t, o)
}
