package nftables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Supported asks the kernel to check a small table with all that this mode may
// use, without making it. nil if IPv4 can be served: a machine without IPv6 may
// be meant to be.
func Supported(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := wire.Open()
	if err != nil {
		return fmt.Errorf("nftables needs a kernel with CONFIG_NF_TABLES: %w", err)
	}
	defer conn.Close()
	return familyOf(plan.IPv4).probe(conn)
}

// probe asks whether the kernel would take a table with all kinds of chains and
// elements.
func (f family) probe(conn *wire.Conn) error {
	h := newHalf(f.plan, &plan.Settings{
		MasqueradeMark: 1, NodePorts: plan.NodePorts{All: true},
		Detect: plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "x"},
	}, nil)
	h.table = probeName
	var steps []step
	for balance := range kinds {
		id := plan.ID{Port: kinds[balance], Protocol: plan.TCP, Family: f.plan}
		steps = append(steps, step{id: id, is: newState(f.example(id, balance), &state{}, 0)})
	}
	c, err := h.work(steps)
	if err != nil {
		return err
	}
	var b wire.Batch
	h.start(&b)
	h.write(&b, c)
	h.finish(&b)
	switch err := conn.Check(&b); {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("nftables needs CAP_NET_ADMIN: %w", err)
	default:
		return fmt.Errorf("nftables needs Linux 5.9 or newer with nf_tables for %s "+
			"(modules nf_tables, nft_chain_nat, nft_nat, nft_masq, nft_fib, nft_reject, nft_numgen, nft_hash, nft_ct): %w", f.ip, err)
	}
}

func (f family) example(id plan.ID, balance plan.Balance) *plan.Port {
	text := "192.0.2.1"
	if f.plan == plan.IPv6 {
		text = "2001:db8::1"
	}
	a := netip.MustParseAddr(text)
	e := plan.Endpoint{Address: netip.AddrPortFrom(a, 1), Weight: 1, Local: true}
	n := uint16(balance)
	return &plan.Port{
		ID: id, Balance: balance, Affinity: time.Hour, Cluster: []plan.Endpoint{e}, Local: []plan.Endpoint{e},
		Frontends: []plan.Frontend{
			{Kind: plan.ClusterIP, Address: a, Port: 1 + n},
			{Kind: plan.NodePort, Port: 11 + n, Local: true},
			{Kind: plan.LoadBalancerIP, Address: a, Port: 21 + n, Sources: []netip.Prefix{netip.PrefixFrom(a, a.BitLen()-8).Masked()}},
		},
	}
}

// Cleanup deletes the tables of all proxiers, whatever their Options.Name. It is
// no error if there are none, or if there is no nf_tables at all.
func Cleanup(ctx context.Context) error {
	return cleanup(ctx, func(table string) bool {
		return table == tableName || strings.HasPrefix(table, namedPrefix)
	})
}

// CleanupOne is a Cleanup of the tables of one Options.Name.
func CleanupOne(ctx context.Context, name string) error {
	own := Options{Name: name}.table()
	return cleanup(ctx, func(table string) bool { return table == own })
}

func cleanup(ctx context.Context, is func(table string) bool) error {
	conn, err := wire.Open()
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, f := range families {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := familyOf(f).cleanup(conn, is); err != nil {
			return err
		}
	}
	return nil
}

func (f family) cleanup(conn *wire.Conn, is func(table string) bool) error {
	tables, err := conn.Tables(f.wire)
	absent := []error{unix.EINVAL, unix.EOPNOTSUPP, unix.EAFNOSUPPORT}
	for _, a := range absent {
		if errors.Is(err, a) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	for _, t := range tables {
		if !is(t.Name) {
			continue
		}
		var b wire.Batch
		b.DelTable(f.wire, t.Name)
		if err := conn.Commit(&b, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("table %s %s: %w", f.ip, t.Name, err)
		}
	}
	return nil
}
