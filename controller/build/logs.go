package build

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// logs says what of a site is logged.
func (t *task) logs(s *site) {
	s.location.NoAccessLog = s.values.Logs.NoAccess
	if s.values.Logs.Rewrite {
		s.route.RewriteLog = true
		s.location.Phases.Rewrite = true
	}
}

// unlogged says whether a claim is one that no Ingress made, for no host that
// one named, and is not to be logged.
func (t *task) unlogged(h *host, c *claim) bool {
	return h.name == "" && c.derived && (c.path == "/healthz" || c.ingress == nil && !t.result.Config.Settings.DefaultBackendLog)
}

// syslog finds where the log is sent. nginx would not start with a name that the
// DNS does not know. The server may well be on this machine: the operator says.
func (t *task) syslog(object model.Object) {
	s := &t.result.Config.Settings
	if s.SyslogHost == "" {
		return
	}
	address, err := netip.ParseAddr(s.SyslogHost)
	if err != nil {
		t.result.Wanted.Names = append(t.result.Wanted.Names, s.SyslogHost)
		found, why := t.addresses(t.s, s.SyslogHost)
		if why != "" {
			t.problem(object, "data.syslog-host", why+"; logs go where they go without syslog")
		}
		if len(found) == 0 {
			return
		}
		address = found[0]
	}
	s.Syslog = net.JoinHostPort(address.WithZone("").String(), strconv.Itoa(s.SyslogPort))
}

// modules turns off what this nginx has no module for.
func (t *task) modules(object model.Object) {
	s := &t.result.Config.Settings
	if s.Brotli.On && !t.o.Brotli {
		s.Brotli.On = false
		t.problem(object, "data.enable-brotli", "has no effect: nginx's brotli module is missing, install the package libnginx-mod-http-brotli-filter")
	}
}
