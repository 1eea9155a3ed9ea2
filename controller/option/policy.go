package option

import (
	"fmt"
	"slices"
	"strings"
)

// Risk is how much harm a key can do in the hands of somebody who may write
// the object but shall not rule the controller. The grades of the keys are
// those that ingress-nginx published.
type Risk int8

// The grades of a Risk.
const (
	Low Risk = iota
	Medium
	High
	Critical
)

var riskNames = []string{"Low", "Medium", "High", "Critical"}

// String is the risk's name.
func (r Risk) String() string { return riskNames[r] }

// RiskLevel accepts the name of a risk, in any case.
var RiskLevel = Check[Risk]{
	Values: "one of `Low`, `Medium`, `High`, `Critical`",
	Parse: func(s string) (Risk, error) {
		i := slices.IndexFunc(riskNames, func(name string) bool { return strings.EqualFold(name, s) })
		if i < 0 {
			return 0, errorf("%s is not one of %s", s, strings.Join(riskNames, ", "))
		}
		return Risk(i), nil
	},
}

// A Policy is what the values of a Reader may be, beyond what their checks
// say.
type Policy struct {
	Most    Risk // a key above it is refused
	Blocked List // a value with one of these in it is refused
}

// Within makes the reader hold all values against a policy.
func (r *Reader) Within(p Policy) *Reader {
	r.policy, r.held = p, true
	return r
}

// refused says why the policy refuses a value, "" where it does not.
func (r *Reader) refused(risk Risk, text string) string {
	if !r.held {
		return ""
	}
	if risk > r.policy.Most {
		return fmt.Sprintf("is of risk %s, and annotations-risk-level allows none above %s", risk, r.policy.Most)
	}
	for _, word := range r.policy.Blocked.All() {
		if strings.Contains(text, word) {
			return fmt.Sprintf("%s has %s in it, which annotation-value-word-blocklist forbids", quote(text), quote(word))
		}
	}
	return ""
}
