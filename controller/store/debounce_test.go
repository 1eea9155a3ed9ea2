package store

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDebounce(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []time.Duration // when something happens
		want   []time.Duration // when it is told
	}{
		{"nothing", nil, nil},
		{"one", []time.Duration{10}, []time.Duration{60}},
		{"a burst", []time.Duration{0, 10, 20, 59}, []time.Duration{109}},
		{"two apart", []time.Duration{0, 100}, []time.Duration{50, 150}},
		{"without end", []time.Duration{0, 40, 80, 120, 160, 200, 240, 280, 320, 360}, []time.Duration{300, 410}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				happened := make(chan struct{}, 1)
				out := debounce(t.Context(), happened)
				begin := time.Now()
				var got []time.Duration
				go func() {
					for _, at := range c.events {
						time.Sleep(time.Until(begin.Add(at * time.Millisecond)))
						notify(happened)
					}
				}()
				end := time.After(time.Second)
				for {
					select {
					case <-out:
						got = append(got, time.Since(begin)/time.Millisecond)
						continue
					case <-end:
					}
					break
				}
				if len(got) != len(c.want) {
					t.Fatalf("told at %v, want %v", got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("told at %v, want %v", got, c.want)
					}
				}
			})
		})
	}
}
