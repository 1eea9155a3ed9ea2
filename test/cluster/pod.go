package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Pod covers /run with what a pod has there: the service account's token, which
// is the user's name, and the API server's certificate. It gives the variables
// that a pod has in its environment. Only root can do that; it lasts as long as
// the namespaces do.
func (c *Cluster) Pod(user string) ([]string, error) {
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return nil, fmt.Errorf("/run: mount: %w", err)
	}
	if root := Root(); root != "" {
		if err := unix.Mount("/run", root+"/run", "", unix.MS_BIND, ""); err != nil {
			return nil, fmt.Errorf("%s/run: mount: %w", root, err)
		}
	}
	// /var/run is /run.
	const dir = "/var/run/secrets/kubernetes.io/serviceaccount"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.authority())
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"token": user, "ca.crt": string(ca), "namespace": "sallyport"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return []string{"KUBERNETES_SERVICE_HOST=" + apiAddress, fmt.Sprintf("KUBERNETES_SERVICE_PORT=%d", c.port)}, nil
}
