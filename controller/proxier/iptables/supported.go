package iptables

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// needed are what rules of this mode use, by the kernel module that it takes.
func needed() map[string]string {
	return map[string]string{
		"xt_addrtype":  "-m addrtype --dst-type LOCAL -j RETURN",
		"xt_comment":   "-m comment --comment sallyport -j RETURN",
		"xt_mark":      "-m mark --mark 0x1/0x1 -j MARK --set-xmark 0x0/0x1",
		"xt_nat":       "-p tcp -j DNAT --to-destination 192.0.2.1:80",
		"xt_recent":    "-m recent --name sallyport --rcheck --seconds 1 --reap --rsource -j RETURN",
		"xt_statistic": "-m statistic --mode random --probability 0.5 -j RETURN",
	}
}

// Supported says whether iptables-restore is there, the machine's own choice of
// flavour, and whether the kernel takes what this mode tells it. It tries that
// in a network namespace of its own, or where it may not make one, in a chain
// of this one that it removes. Only IPv4 is needed.
func Supported(ctx context.Context) error {
	t, err := look("", plan.IPv4)
	if err != nil {
		return err
	}
	err = t.tryAll(ctx, programs{apart: true})
	if errors.Is(err, syscall.EPERM) {
		err = t.tryAll(ctx, programs{})
	}
	return err
}

func (t tools) tryAll(ctx context.Context, r runner) error {
	if err := t.try(ctx, r, "-j RETURN"); err != nil {
		return fmt.Errorf("the kernel takes no rule in the table nat: load the modules iptable_nat or nft_compat, and run as root: %w", err)
	}
	var lacks []string
	for module, body := range needed() {
		err := t.try(ctx, r, body)
		var said *failure
		switch {
		case errors.As(err, &said) && !said.busy():
			lacks = append(lacks, module)
		case err != nil:
			return err
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the kernel lacks what iptables needs: load the modules %s", strings.Join(lacks, ", "))
	}
	return nil
}

// try has the kernel take a rule, and takes it back.
func (t tools) try(ctx context.Context, r runner, body string) error {
	b := &block{table: "nat"}
	b.chain(chain{probeChain, nobodys(body)})
	if err := t.commit(ctx, r, script{b}); err != nil {
		return err
	}
	back := &block{table: "nat"}
	back.gone(probeChain)
	return t.commit(ctx, r, script{back})
}
