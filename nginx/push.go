package nginx

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// maxPush is the size of one push, in bytes of keys and values. nginx holds it
// in memory, and a worker serves nobody else while it decodes it.
const maxPush = 256 << 10

type push struct {
	Set    map[string]string `json:"set,omitempty"`
	Delete []string          `json:"delete,omitempty"`
}

// Push sets and deletes data items, and returns when every worker's next
// request sees that. All is set before anything is deleted. The error is
// ErrFull where nginx's memory is full: some items may be set then, nothing is
// deleted. A push may be repeated.
func (n *Nginx) Push(ctx context.Context, set map[string]string, del []string) error {
	for p := range chunks(set, del) {
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := n.control.ask(ctx, http.MethodPost, "/data", body); err != nil {
			return err
		}
	}
	return nil
}

// chunks yields pushes of at most maxPush, or of a single larger item.
func chunks(set map[string]string, del []string) func(func(push) bool) {
	return func(yield func(push) bool) {
		p, size := push{Set: map[string]string{}}, 0
		add := func(length int) bool { // makes room for an item
			if size > 0 && size+length > maxPush {
				if !yield(p) {
					return false
				}
				p, size = push{Set: map[string]string{}}, 0
			}
			size += length
			return true
		}
		for _, key := range slices.Sorted(maps.Keys(set)) {
			if !add(len(key) + len(set[key])) {
				return
			}
			p.Set[key] = set[key]
		}
		if size > 0 && len(del) > 0 { // never in the push of an item that may not fit
			if !yield(p) {
				return
			}
			p, size = push{}, 0
		}
		for _, key := range del {
			if !add(len(key)) {
				return
			}
			p.Delete = append(p.Delete, key)
		}
		if size > 0 {
			yield(p)
		}
	}
}
