package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Limit is how much one client may ask for. 0 sets no limit.
type Limit struct {
	PerSecond, PerMinute int // requests
	Connections          int // requests under way at once
	Burst                int // a multiple of the limit
	Rate, RateAfter      OptionalInt
	Allow                option.List // CIDRs that no limit holds for
}

// OptionalInt is a number that may be left to the ConfigMap.
type OptionalInt struct {
	Set   bool
	Value int
}

// Or is the number, or other where it is left open.
func (n OptionalInt) Or(other int) int {
	if n.Set {
		return n.Value
	}
	return other
}

func optionalInt(r *option.Reader, k option.Key[int]) OptionalInt {
	v, ok := k.Lookup(r)
	return OptionalInt{Set: ok, Value: v}
}

// mostLimited keeps a limit times its burst within what a double counts.
const mostLimited = 1 << 30

var (
	limitRPS = option.Key[int]{
		Name: "limit-rps", Check: option.Int(0, mostLimited), DefaultDoc: "no limit",
		Doc: "How many requests a second one client address may send to the Ingress; what exceeds the burst gets a 503, or what the ConfigMap's `limit-req-status-code` says. " +
			"Counted over all of the controller's nginx workers, in 10 MB of memory; where that is full, the client that was seen last the longest ago is forgotten. 0 sets no limit.",
	}
	limitRPM = option.Key[int]{
		Name: "limit-rpm", Check: option.Int(0, mostLimited), DefaultDoc: "no limit",
		Doc: "The same, a minute. Beside limit-rps, both hold.",
	}
	limitConnections = option.Key[int]{
		Name: "limit-connections", Check: option.Int(0, mostLimited), DefaultDoc: "no limit",
		Doc: "How many requests of one client address to the Ingress may be under way at once; one more gets a 503, or what the ConfigMap's `limit-conn-status-code` says. 0 sets no limit.",
	}
	limitBurst = option.Key[int]{
		Name: "limit-burst-multiplier", Default: 5, Check: option.Int(1, 10000),
		Doc: "How many times limit-rps, and limit-rpm, may be exceeded by at once before requests are refused.",
	}
	limitRate = option.Key[int]{
		Name: "limit-rate", Check: option.Int(0, mostLimited), DefaultDoc: inConfigMap + " (`0`)",
		Doc: "How many KB of a response are sent a second, on one connection; nginx limits those alone that it buffers, so this needs `proxy-buffering`. 0 sets no limit.",
	}
	limitRateAfter = option.Key[int]{
		Name: "limit-rate-after", Check: option.Int(0, mostLimited), DefaultDoc: inConfigMap + " (`0`)",
		Doc: "How many KB of a response are sent before limit-rate holds.",
	}
	limitAllowlist = option.Key[option.List]{
		Name: "limit-allowlist", Check: option.CIDRs, DefaultDoc: "none",
		Doc: "Clients for which limit-rps, limit-rpm and limit-connections do not hold.",
	}
	limitWhitelist = option.Key[option.List]{
		Name: "limit-whitelist", Check: option.CIDRs, DefaultDoc: "none",
		Doc: "An old name of limit-allowlist, which counts where both are there.",
	}
)

func readLimit(r *option.Reader) Limit {
	l := Limit{
		PerSecond:   lookup(r, limitRPS),
		PerMinute:   lookup(r, limitRPM),
		Connections: lookup(r, limitConnections),
		Burst:       limitBurst.Get(r),
		Rate:        optionalInt(r, limitRate),
		RateAfter:   optionalInt(r, limitRateAfter),
		Allow:       lookup(r, limitWhitelist),
	}
	if list, ok := limitAllowlist.Lookup(r); ok {
		l.Allow = list
	}
	return l
}
