package iptables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// errNotThere says that a kernel has no tables of a kind.
var errNotThere = errors.New("not in this kernel")

// tableInfo is what the kernel tells of a legacy table: struct ipt_getinfo,
// which ip6_tables shares.
type tableInfo struct {
	name             [32]byte
	validHooks       uint32
	entry, underflow [5]uint32
	entries, size    uint32
}

// getInfo is IPT_SO_GET_INFO and IP6T_SO_GET_INFO of the kernel's headers: both
// are 64. It is answered under SOL_IP or SOL_IPV6.
const getInfo = 64

// tableSizes tells how many rules the legacy tables have, and their bytes. To
// ask for a table that is not there makes it, so that is done only after it was
// written.
func tableSizes(f plan.Family) (string, error) {
	domain, level := unix.AF_INET, unix.SOL_IP
	if f == plan.IPv6 {
		domain, level = unix.AF_INET6, unix.SOL_IPV6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return "", fmt.Errorf("socket for tables: %w", err)
	}
	defer unix.Close(fd)
	text := ""
	for _, table := range []string{"nat", "filter"} {
		info := tableInfo{}
		copy(info.name[:], table)
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), getInfo,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			return "", fmt.Errorf("table %s: %w", table, errno)
		}
		text += fmt.Sprintf("%s %d %d ", table, info.entries, info.size)
	}
	return text, nil
}

// generation tells the number of the last commit to nf_tables in this network
// namespace, of whatever family. The error is errNotThere where the kernel has
// no nf_tables.
func generation(plan.Family) (string, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	answers, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
		return "", fmt.Errorf("nf_tables: %w", errNotThere)
	case err != nil:
		return "", fmt.Errorf("generation of nf_tables: %w", err)
	}
	for _, a := range answers {
		attrs, err := nl.ParseRouteAttr(a[nl.SizeofNfgenmsg:])
		if err != nil {
			return "", fmt.Errorf("generation of nf_tables: %w", err)
		}
		for _, at := range attrs {
			if at.Attr.Type == unix.NFTA_GEN_ID && len(at.Value) == 4 {
				return fmt.Sprint(binary.BigEndian.Uint32(at.Value)), nil
			}
		}
	}
	return "", errors.New("generation of nf_tables: no answer")
}
