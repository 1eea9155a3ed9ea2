package model

import (
	"slices"
	"strconv"
)

// String is "Kind namespace/name", with the file and line if there are any.
func (o Object) String() string {
	s := o.Kind
	if o.Name != "" {
		if s != "" {
			s += " "
		}
		if o.Namespace != "" {
			s += o.Namespace + "/"
		}
		s += o.Name
	}
	if o.File != "" {
		at := o.File
		if o.Line > 0 {
			at += ":" + strconv.Itoa(o.Line)
		}
		if s == "" {
			return at
		}
		s += " (" + at + ")"
	}
	return s
}

// String is "object: field: reason".
func (p Problem) String() string {
	s := p.Object.String() + ": "
	if p.Field != "" {
		s += p.Field + ": "
	}
	return s + p.Reason
}

// Equal says whether two servers are the same to the last directive.
func (s Server) Equal(t Server) bool {
	return s.Host == t.Host && s.WWW == t.WWW && s.WWWHost == t.WWWHost && s.ClientTLS == t.ClientTLS && s.Snippet == t.Snippet &&
		s.OwnTLS == t.OwnTLS && s.SSLCiphers == t.SSLCiphers && s.PreferCiphers == t.PreferCiphers &&
		slices.Equal(s.Aliases, t.Aliases) && slices.Equal(s.Locations, t.Locations)
}

// String is how nginx writes the match before a location's path.
func (m Match) String() string {
	switch m {
	case MatchExact:
		return "= "
	case MatchRegex:
		return "~* "
	case MatchFirst:
		return "^~ "
	}
	return ""
}
