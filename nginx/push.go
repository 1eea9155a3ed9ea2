package nginx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
// request sees that. All is set before anything is deleted. Where nginx's
// memory is full the error is a *FullError, which is ErrFull: it names the
// items that did not fit; all others are set or deleted. A push may be
// repeated.
func (f *Folder) Push(ctx context.Context, set map[string]string, del []string) error {
	full := &FullError{}
	for p := range chunks(set, del) {
		err := f.post(ctx, p)
		if errors.Is(err, ErrFull) {
			err = f.oneByOne(ctx, p, full)
		}
		if err != nil {
			return err
		}
	}
	if len(full.Keys) > 0 {
		return full
	}
	return nil
}

// A FullError names the items for which nginx's memory had no room.
type FullError struct{ Keys []string }

func (e *FullError) Error() string {
	return fmt.Sprintf("%v: %d items are missing, the first is %s", ErrFull, len(e.Keys), e.Keys[0])
}

// Unwrap is ErrFull.
func (e *FullError) Unwrap() error { return ErrFull }

func (f *Folder) post(ctx context.Context, p push) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = f.control.ask(ctx, http.MethodPost, "/data", body)
	return err
}

// oneByOne pushes the items of a push that did not fit as a whole.
func (f *Folder) oneByOne(ctx context.Context, p push, full *FullError) error {
	for _, key := range slices.Sorted(maps.Keys(p.Set)) {
		err := f.post(ctx, push{Set: map[string]string{key: p.Set[key]}})
		if errors.Is(err, ErrFull) {
			full.Keys = append(full.Keys, key)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(p.Delete) == 0 {
		return nil
	}
	return f.post(ctx, push{Delete: p.Delete})
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
