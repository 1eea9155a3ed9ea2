package cluster

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	module      = "github.com/sallyport-ingress/sallyport"
	kubeVersion = "v1.36.3" // as in test/kube/go.mod
)

// Kube names the programs of a control plane.
type Kube struct{ APIServer, Etcd string }

// FindKube gives the control plane's programs: those in KUBEBUILDER_ASSETS if
// that is set, else etcd from the PATH and the kube-apiserver that test/kube
// pins. The latter is built once, in ten minutes or so, and kept in the user's
// cache folder; progress is told to w.
func FindKube(w io.Writer) (Kube, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		k := Kube{APIServer: filepath.Join(dir, "kube-apiserver"), Etcd: filepath.Join(dir, "etcd")}
		for _, p := range []string{k.APIServer, k.Etcd} {
			if _, err := exec.LookPath(p); err != nil {
				return Kube{}, fmt.Errorf("KUBEBUILDER_ASSETS: %w", err)
			}
		}
		return k, nil
	}
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		return Kube{}, fmt.Errorf("install etcd-server, or set KUBEBUILDER_ASSETS: %w", err)
	}
	apiserver, err := buildKube(w, "kube-apiserver", "ten minutes or so")
	return Kube{APIServer: apiserver, Etcd: etcd}, err
}

// FindKubeProxy gives kube-proxy: the one in KUBEBUILDER_ASSETS if that is set
// and has one, else the one that test/kube pins, which is built once as the API
// server is. Progress is told to w.
func FindKubeProxy(w io.Writer) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		if p, err := exec.LookPath(filepath.Join(dir, "kube-proxy")); err == nil {
			return p, nil
		}
	}
	return buildKube(w, "kube-proxy", "some minutes")
}

// buildKube builds one of the programs that test/kube pins, or finds it built.
func buildKube(w io.Writer, name, takes string) (string, error) {
	source, err := kubeModule()
	if err != nil {
		return "", err
	}
	dir, err := kubeCache(source)
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	target := filepath.Join(dir, name)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	fmt.Fprintf(w, "building %s %s into %s: %s, once\n", name, kubeVersion, dir, takes)
	return target, goBuildKube(source, target)
}

// goBuildKube builds beside the target, so that a build that was interrupted is
// not taken for one that ended.
func goBuildKube(source, target string) error {
	const stamp = "-X k8s.io/component-base/version."
	flags := "-s -w " + stamp + "gitVersion=" + kubeVersion + " " + stamp + "gitMajor=1 " + stamp + "gitMinor=36"
	c := exec.Command("go", "build", "-ldflags", flags, "-o", target+".new", "k8s.io/kubernetes/cmd/"+filepath.Base(target))
	c.Dir = source
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(target), err, strings.TrimSpace(string(out)))
	}
	return os.Rename(target+".new", target)
}

func kubeModule() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the root of %s: %w", module, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "test", "kube"), nil
}

// kubeCache is a folder of its own for each state of the pinned modules.
func kubeCache(source string) (string, error) {
	text, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "sallyport", "kube", fmt.Sprintf("%s-%x", kubeVersion, sha256.Sum256(text))[:len(kubeVersion)+13])
	return dir, os.MkdirAll(dir, 0o755)
}

// lock waits until no other process holds the file.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: lock: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// EtcdURL is where the API server's etcd answers: for measures that need more
// objects than the API server makes in good time.
func (c *Cluster) EtcdURL() string { return c.etcdURL }
