package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// ModSecurity is what a location's requests are held against. The rules of the
// http block are in force beside its own.
type ModSecurity struct {
	On            bool
	TransactionID string // text in which ${name} are variables; "" leaves it to ModSecurity
	Rules         SecRules
	// Without are the ids, as "first-last", of rules of the http block that are
	// not to be in force.
	Without option.List
}

// SecRules are rules in the order in which they are read. What comes first
// counts, and what of the location before the http block; of what is written to
// the audit log, and where to, it is the other way round.
type SecRules struct {
	File  FileID      // that users wrote; "" for none
	Base  bool        // the recommended configuration
	Audit option.List // directives of the audit log that users wrote
	Core  bool        // the OWASP Core Rule Set
}
