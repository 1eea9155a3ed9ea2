package userspace

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Supported says whether this kernel and process can do the mode, by IPv4 at
// least: nil, or what is missing. It leaves nothing behind.
func Supported(ctx context.Context) error {
	c, err := listenUDP(ctx, listenAt(plan.IPv4, plan.Elsewhere), transparent, shared)
	switch {
	case errors.Is(err, unix.EPERM):
		return errors.New("userspace mode needs the right CAP_NET_ADMIN: run as root, or add the capability")
	case err != nil:
		return fmt.Errorf("userspace mode needs sockets with IP_TRANSPARENT: %w", err)
	}
	c.Close()
	if err := probe(plan.IPv4); err != nil {
		return fmt.Errorf("userspace mode needs nftables with tproxy, fib, ct, nat and reject: "+
			"load the kernel modules nf_tables, nft_tproxy, nft_fib_ipv4, nft_ct, nft_nat, nft_chain_nat and nft_reject_ipv4: %w", err)
	}
	return nil
}

// probe has the kernel check all rules, of a table that is deleted in the batch
// that makes it and so is never there.
func probe(f plan.Family) error {
	c, err := connect()
	if err != nil {
		return err
	}
	t := tableOf(f, tableName+"-probe")
	s := &plan.Settings{NodePorts: plan.NodePorts{All: true}}
	if err := build(c, t, chains(f, s, marksOf(DefaultMark)), nil); err != nil {
		return err
	}
	c.DelTable(t)
	return c.Flush()
}

// Cleanup removes the tables, ip rules and routes of the mode from this network
// namespace, whichever process made them and with whichever mark.
func Cleanup(context.Context) error {
	var failed []error
	for _, f := range families {
		for _, undo := range []func(plan.Family) error{remove, undivert} {
			if err := undo(f); err != nil && !lacking(err) {
				failed = append(failed, fmt.Errorf("%s: %w", f, err))
			}
		}
	}
	return errors.Join(failed...)
}
