package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// A Limit is how much one client may ask an Ingress for, by Lua. 0 sets no
// limit.
type Limit struct {
	PerSecond        int `json:"rps,omitempty"`
	PerMinute        int `json:"rpm,omitempty"`
	Burst            int `json:"burst"` // a multiple of the limit
	Connections      int `json:"connections,omitempty"`
	RequestStatus    int `json:"requestStatus"`
	ConnectionStatus int `json:"connectionStatus"`
	// By names the variable that is counted by; "" is the client's address.
	By string `json:"by,omitempty"`
	// Allow is whom the limit does not hold for: "HEX/BITS", the bytes of a
	// prefix in hex and its length.
	Allow option.List `json:"allow,omitempty"`
}

// A Rate is what nginx itself limits, in KB. 0 sets no limit.
type Rate struct{ PerSecond, After int }
