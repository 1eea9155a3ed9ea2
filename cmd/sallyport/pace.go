package main

import (
	"net"
	"strconv"
	"time"
)

// maxCounterRows keeps what the workers count in the memory that they share.
const maxCounterRows = 1000000

// pace refuses numbers of these flags that mean nothing.
func (o *options) pace() error {
	switch {
	case !(o.ReloadRate >= 0) || o.ReloadRate > 1000: // or no number at all
		return usagef("--sync-rate-limit %v is no number of reloads in a second", o.ReloadRate)
	case o.ReloadRate > 0 && o.ReloadRate < 0.001:
		return usagef("--sync-rate-limit %v is less than one reload in 1,000 seconds", o.ReloadRate)
	case o.PushRetries < 0:
		return usagef("--dynamic-configuration-retries %d is negative", o.PushRetries)
	case o.CounterRows < 1 || o.CounterRows > maxCounterRows:
		return usagef("--monitor-max-batch-size %d is not from 1 to %d", o.CounterRows, maxCounterRows)
	case !(o.BucketFactor >= 0):
		return usagef("--bucket-factor %v is not by how much buckets could grow", o.BucketFactor)
	case o.SyncPeriod < 0 || o.SyncPeriod > 0 && o.SyncPeriod < time.Second:
		return usagef("--sync-period %v is less than a second", o.SyncPeriod)
	case o.PostShutdownGrace < 0:
		return usagef("--post-shutdown-grace-period %d is negative", o.PostShutdownGrace)
	}
	if o.Syslog == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(o.Syslog)
	if err != nil {
		return usagef("--internal-logger-address: %v", err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 || net.ParseIP(host) == nil {
		return usagef("--internal-logger-address %q is not an IP address and a port", o.Syslog)
	}
	return nil
}

// reloadPause is how long nginx rests between two reloads.
func (o *options) reloadPause() time.Duration {
	if o.ReloadRate == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / float64(o.ReloadRate))
}
