package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// Machine is what the ConfigMap says of nginx's own workings, and of what all
// hosts have in common. What is zero is as nginx, or the template, has it.
type Machine struct {
	NamesHashSize, NamesHashBucket     int // entries and bytes; more where the names need it, as all here
	VariablesHashSize, VariablesBucket int
	MapBucket                          int
	HeadersHashSize, HeadersHashBucket int
	WorkerAffinity                     string
	Debug                              option.List // address ranges whose connections are logged in detail
	AsyncWrites                        bool

	DefaultType    string
	BackendServer  bool        // the Server header is the endpoint's
	HideHeaders    option.List // of endpoints
	OriginalURI    bool        // X-Original-URI for endpoints
	EarlyData      bool
	TicketKey      FileID
	DHParam        FileID
	GRPCBuffer     int // KB
	BlockRanges    option.List
	BlockAgents    option.List // texts, or expressions with ~ before them
	BlockReferers  option.List
	RequestHeaders option.List // names and values in turn, for endpoints
	AddHeaders     option.List // the same, for clients
}

// Blocks says whether anybody is refused everywhere.
func (m Machine) Blocks() bool {
	return m.BlockRanges != "" || m.BlockAgents != "" || m.BlockReferers != ""
}
