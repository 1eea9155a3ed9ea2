// Prepare builds the control plane that tests run, so that its ten minutes
// don't count against the time limit of a test.
//
// It starts nothing and needs no rights.
package main

import (
	"fmt"
	"os"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func main() {
	kube, err := cluster.FindKube(os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
	fmt.Println(kube.APIServer)
	fmt.Println(kube.Etcd)
}
