package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Supported says in one line why ipvs can't be used here and what to install or
// load; nil if it can. It loads modules where modprobe is installed, and makes
// and removes a virtual server and a device.
func Supported(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("ipvs: not root: network administration needs the capability NET_ADMIN")
	}
	for _, program := range []string{"ipset", "iptables", "iptables-save", "iptables-restore"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("ipvs: no %s in the PATH: install ipset and iptables", program)
		}
	}
	if err := probe(ctx, "rr"); err != nil {
		return err
	}
	if err := probeDevice(); err != nil {
		return err
	}
	if _, err := run(ctx, "", "ipset", "list", "-name"); err != nil {
		return fmt.Errorf("ipvs: kernel without ipset: load the module ip_set: %w", err)
	}
	if _, err := chooseFlavour(ctx, run, plan.IPv4); err != nil {
		return fmt.Errorf("ipvs: kernel without iptables: load the module iptable_nat: %w", err)
	}
	return ctx.Err()
}

// probeMark is the mark of the virtual server that tries a scheduler: it takes
// no traffic, as none has such a mark.
const probeMark = 0x5a11704e

// probe tries whether the kernel has ipvs and a scheduler.
func probe(ctx context.Context, scheduler string) error {
	t, err := openTable()
	if err != nil {
		loadModules(ctx, "ip_vs", "ip_vs_"+scheduler)
		t, err = openTable()
	}
	if errors.Is(err, unix.ENOENT) {
		return errors.New("ipvs: kernel without ip_vs: load the module ip_vs, or use a kernel that has it")
	}
	if err != nil {
		return fmt.Errorf("ipvs: %w", err)
	}
	defer t.close()
	err = t.try(probeMark, scheduler)
	if errors.Is(err, unix.ENOENT) {
		loadModules(ctx, "ip_vs_"+scheduler)
		err = t.try(probeMark, scheduler)
	}
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("ipvs: kernel without scheduler %s: load the module ip_vs_%s", scheduler, scheduler)
	}
	if err != nil {
		return fmt.Errorf("ipvs: try a virtual server: %w", err)
	}
	return nil
}

// loadModules asks modprobe; whether it helped is seen afterwards.
func loadModules(ctx context.Context, names ...string) {
	_, _ = run(ctx, "", "modprobe", append([]string{"-a"}, names...)...)
}

func probeDevice() error {
	if link, err := findDevice(); err != nil || link != nil {
		return err
	}
	a := netlink.NewLinkAttrs()
	a.Name = "sallyport-probe"
	err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: a})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("ipvs: kernel without dummy devices: load the module dummy: %w", err)
	}
	link, err := netlink.LinkByName(a.Name)
	if err != nil {
		return fmt.Errorf("ipvs: device %s: %w", a.Name, err)
	}
	return netlink.LinkDel(link)
}

// Cleanup removes virtual servers, chains, the device and sets: what this mode
// ever put into this network namespace. Where there is nothing, or nothing of
// it is possible, it does nothing.
func Cleanup(ctx context.Context) error {
	if err := sweepOthers(ctx, run, nil); err != nil {
		return fmt.Errorf("ipvs: %w", err)
	}
	if err := deleteServers(ctx); err != nil {
		return err
	}
	link, err := findDevice()
	if err != nil {
		return err
	}
	if link != nil {
		if err := netlink.LinkDel(link); err != nil {
			return fmt.Errorf("device %s: delete: %w", deviceName, err)
		}
	}
	if err := destroySets(ctx, run); err != nil {
		return fmt.Errorf("ipvs: %w", err)
	}
	return nil
}

// deleteServers deletes what owns finds to be ours.
func deleteServers(ctx context.Context) error {
	t, err := openTable()
	if errors.Is(err, unix.ENOENT) {
		return nil // no ipvs here
	}
	if err != nil {
		return fmt.Errorf("ipvs: %w", err)
	}
	defer t.close()
	k := &kernel{table: t, bound: map[netip.Addr]bool{}}
	_, device, err := readAddresses()
	if err != nil {
		return err
	}
	for _, a := range device {
		k.bound[a] = true
	}
	if k.members, err = readMembers(ctx, run); err != nil && !missing(err) {
		return fmt.Errorf("ipvs: %w", err)
	}
	servers, err := t.servers()
	if err != nil {
		return err
	}
	var calls []call
	for s := range servers {
		if k.owns(s, nil) {
			calls = append(calls, call{operation: deleteServer, server: s})
		}
	}
	failed, err := t.do(calls)
	return errors.Join(append(failed, err)...)
}
