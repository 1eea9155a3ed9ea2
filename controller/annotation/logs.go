package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Logs is what is logged.
type Logs struct {
	NoAccess bool
	Rewrite  bool
}

var (
	enableAccessLog = option.Key[bool]{Name: "enable-access-log", Doc: "Writes requests to the access log.", Default: true, Check: option.Bool}
	enableRewrite   = option.Key[bool]{
		Name: "enable-rewrite-log", Doc: "Writes to the error log, at level notice, what path each request is rewritten to.", Check: option.Bool,
	}
)

func readLogs(r *option.Reader) Logs {
	return Logs{NoAccess: !enableAccessLog.Get(r), Rewrite: enableRewrite.Get(r)}
}
