package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// Access is which client addresses a location lets in.
type Access struct {
	Allow option.List // empty: all
	Deny  option.List
	Any   bool // one passed check is enough
}

// BasicAuth is a file of users and what they are told. Without a File, nobody
// is asked.
type BasicAuth struct {
	File  FileID
	Realm string
}

// Digest is the data of a location that asks by digest: "user:hash" each.
type Digest struct {
	Realm string      `json:"realm"`
	Users option.List `json:"users"`
}

// ServerTLS is the TLS context of a host that asks for client certificates.
// Without a CA it has none of its own.
type ServerTLS struct {
	CA        FileID
	CRL       FileID
	Verify    string
	Depth     int
	ErrorPage string
}

// ClientTLS is what a location does with the client's certificate.
type ClientTLS struct {
	Verify string `json:"verify"`
	Pass   bool   `json:"pass,omitempty"`
	CN     string `json:"cn,omitempty"`
}
