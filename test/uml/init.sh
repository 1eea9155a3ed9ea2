#!/bin/bash
# Process 1 of User-mode Linux: makes the few file systems that a root process
# expects, loads modules, runs a command and switches the machine off.
# The kernel hands on the words of its command line that it doesn't know:
# UML_FOLDER is the folder that boot.go wrote.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ln -sf /proc/self/fd /dev/fd
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
# Names of network namespaces, locks and temporary files of the guest stay in
# the guest: all else is the host's own disk.
mount -t tmpfs run /run
mkdir -p /run/netns /run/lock /run/tmp

# Without kmod: its modprobe need not be there. 313 is finit_module on x86-64.
perl -e '
  my $none = "";
  while (my $path = <STDIN>) {
    chomp $path;
    open(my $file, "<", $path) or do { print "$path: $!\n"; next };
    syscall(313, fileno($file), $none, 0) == 0 or $!{EEXIST} or print "$path: $!\n";
  }' <"$UML_FOLDER/modules" >"$UML_FOLDER/unloaded" 2>&1
# There is nothing more to load, and the kernel would start a modprobe, of 30 ms,
# for each call by which iptables reads or writes a table: it looks for bpfilter.
echo >/proc/sys/kernel/modprobe

# So little memory would mean room for some thousand connections, and packets
# dropped beyond.
echo 65536 >/proc/sys/net/netfilter/nf_conntrack_buckets
echo 262144 >/proc/sys/net/netfilter/nf_conntrack_max
ip link set lo up
# tty1 is what the host reads. A terminal would write CR LF and could stop.
stty -F /dev/tty1 raw -echo -onlcr clocal
setsid -w bash "$UML_FOLDER/command" </dev/null >/dev/tty1 2>&1
echo $? >"$UML_FOLDER/status"
sync
stty -F /dev/tty1 raw
echo o >/proc/sysrq-trigger
read -r -t 60 </dev/tty2
