package option

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// A List is several texts as one value that can be compared with ==. No text
// in it holds a line break.
type List string

// ListOf makes a List. Empty texts are left out.
func ListOf(texts ...string) List {
	texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "" })
	return List(strings.Join(texts, "\n"))
}

// All are the texts.
func (l List) All() []string {
	if l == "" {
		return nil
	}
	return strings.Split(string(l), "\n")
}

// String is the texts, parted by commas.
func (l List) String() string { return strings.Join(l.All(), ",") }

// MarshalJSON writes a list of strings.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, l.All()...)) }

// split parts a text at commas, and trims what is between them. What is empty
// is left out.
func split(s string) []string {
	var all []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// ListOfEach accepts a list, parted by commas, of what check accepts.
func ListOfEach(check Check[string]) Check[List] {
	return Check[List]{
		Values: "a list, parted by commas, of " + check.Values,
		Parse: func(s string) (List, error) {
			var all []string
			had := map[string]bool{} // a list may be a megabyte
			for _, part := range split(s) {
				v, err := check.Parse(part)
				if err != nil {
					return "", err
				}
				if !had[v] {
					had[v] = true
					all = append(all, v)
				}
			}
			return ListOf(all...), nil
		},
	}
}

// CIDR accepts an address or a range of them, and prints it afresh.
var CIDR = Check[string]{
	Values: "an address or a CIDR",
	Parse: func(s string) (string, error) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return a.String(), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return "", errorf("%s is neither an address nor a CIDR", s)
		}
		return p.Masked().String(), nil
	},
}

// CIDRs accepts a list of what CIDR accepts.
var CIDRs = ListOfEach(CIDR)
