package iptables

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A saved table is what iptables-save tells of a table that matters here.
type saved struct {
	ours map[string]int // our chains, and how many rules each has
	// jumps are the rules of other chains that lead to ours, in full and with
	// their chain's name, and how often each is there.
	jumps   map[string]int
	targets map[string]string // by jump
	counted []reading
}

// A reading is one counted rule.
type reading struct {
	chain, remark string
	packets       uint64
}

// read has the tables saved. What is not there is not in it.
func (t tools) read(ctx context.Context, r runner, args ...string) (map[string]*saved, error) {
	text, err := r.run(ctx, nil, t.save, args...)
	if err != nil {
		return nil, fmt.Errorf("tables could not be read: %w", err)
	}
	return parseSaved(text), nil
}

func parseSaved(text []byte) map[string]*saved {
	tables := map[string]*saved{}
	var now *saved
	for line := range bytes.Lines(text) {
		s := strings.TrimSpace(string(line))
		switch {
		case s == "" || s[0] == '#':
		case s[0] == '*':
			now = &saved{ours: map[string]int{}, jumps: map[string]int{}, targets: map[string]string{}}
			tables[s[1:]] = now
		case now == nil:
		case s[0] == ':':
			if name, _, _ := strings.Cut(s[1:], " "); ours(name) {
				now.ours[name] += 0
			}
		default:
			now.rule(s)
		}
	}
	return tables
}

// rule takes in "[packets:bytes] -A CHAIN …", with or without the counters.
func (t *saved) rule(s string) {
	var packets uint64
	if s[0] == '[' {
		counters, rest, _ := strings.Cut(s, "] ")
		number, _, _ := strings.Cut(counters[1:], ":")
		packets, _ = strconv.ParseUint(number, 10, 64)
		s = rest
	}
	rest, is := strings.CutPrefix(s, "-A ")
	if !is {
		return
	}
	name, body, _ := strings.Cut(rest, " ")
	if ours(name) {
		t.ours[name]++
		if r := word(body, "--comment"); r != "" {
			t.counted = append(t.counted, reading{name, r, packets})
		}
		return
	}
	bare := unquoted(body)
	to := word(bare, "-j")
	if to == "" {
		to = word(bare, "-g")
	}
	if ours(to) {
		t.jumps[rest]++
		t.targets[rest] = to
	}
}

// word is what follows an option in a rule. iptables-save puts quotes around it
// where it has more than letters and digits.
func word(body, option string) string {
	_, rest, found := strings.Cut(" "+body, " "+option+" ")
	if !found {
		return ""
	}
	if quoted, is := strings.CutPrefix(rest, `"`); is {
		quoted, _, _ = strings.Cut(quoted, `"`)
		return quoted
	}
	first, _, _ := strings.Cut(rest, " ")
	return first
}

// unquoted is a rule without what is in quotes: a comment may look like
// anything.
func unquoted(body string) string {
	var out strings.Builder
	inside := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case !inside:
			out.WriteByte(c)
		}
	}
	return out.String()
}
