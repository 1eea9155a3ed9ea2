package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// startEtcd doesn't wait for etcd: the API server does.
func (c *Cluster) startEtcd() error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	c.etcdURL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	c.etcd, err = start(filepath.Join(c.dir, "etcd.log"), os.Getenv(etcdVariable),
		"--data-dir", filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", c.etcdURL, "--advertise-client-urls", c.etcdURL,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	if err != nil {
		return err
	}
	return await(func() error {
		if c.etcd.ended() {
			return nil // the API server's error comes with etcd's log
		}
		conn, err := net.Dial("tcp", c.etcdURL[len("http://"):])
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
