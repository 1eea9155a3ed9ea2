package ipvs

import (
	"context"
	"slices"
	"time"
)

// addressesHold says whether our device has all that it was given, and the node
// the addresses that it had. They are read when the kernel said that some have
// changed; ours, too.
func (b *Backend) addressesHold() (bool, error) {
	link, err := findDevice()
	if err != nil || link == nil || link.Attrs().Index != b.kernel.device.link.Attrs().Index {
		return false, err
	}
	if !b.watch.take() {
		return true, nil
	}
	node, device, err := readAddresses()
	if err != nil {
		b.watch.changed.Store(true)
		return false, err
	}
	has := 0
	for _, a := range device {
		if b.kernel.bound[a] {
			has++
		}
	}
	return has == len(b.kernel.bound) && slices.Equal(node, b.view.addresses), nil
}

// serverHolds asks for one virtual server, each time for another, as the order
// of a map is by chance: who wipes the table wipes all.
func (b *Backend) serverHolds() (bool, error) {
	for s, is := range b.kernel.servers {
		reals, err := b.kernel.table.reals(s)
		return len(reals) == len(is.reals), err
	}
	return true, nil
}

// rulesHold runs programs, and so not each time.
func (b *Backend) rulesHold(ctx context.Context) (bool, error) {
	if time.Now().Before(b.look) {
		return true, nil
	}
	b.look = time.Now().Add(b.lookEach)
	for f, v := range b.families {
		if !v.holds(ctx, b.kernel.run, f, b.rules[f]) {
			return false, ctx.Err()
		}
	}
	n, err := countMembers(ctx, b.kernel.run)
	return n == len(b.kernel.members), err
}
