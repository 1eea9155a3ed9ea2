// Package cluster turns a test binary into a machine of its own: a private
// network with a real kube-apiserver and etcd, backends, a DNS server, and the
// sallyport binary under test.
//
// It may not judge the product beyond what holds for each run of it (it becomes
// ready, it ends with status 0, it leaves nothing behind), it may not repeat a
// request that failed, and it touches nothing outside of the namespaces and the
// temporary folder that it makes.
//
// A package that uses it hands its tests over in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Run(m.Run)) }
package cluster

// T is what this package needs of a *testing.T, so that programs can use it too.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}
