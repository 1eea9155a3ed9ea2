package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTallyCountsEachRequestOnce(t *testing.T) {
	c := newTally()
	c.count(answer{status: 200, body: "10.244.1.1"}, nil)
	c.count(answer{status: 503}, nil)
	c.count(answer{}, io.EOF)
	c.count(answer{}, errors.New("strange\nerror"))
	c.count(answer{status: 200}, io.ErrUnexpectedEOF) // a response that was cut is none
	if c.requests != 5 || c.failed() != 4 {
		t.Errorf("%d of %d failed, want 4 of 5", c.failed(), c.requests)
	}
	for _, want := range []string{"2 closed", "1 status 503", "1 other", "first: status 503"} {
		if !strings.Contains(c.why(), want) {
			t.Errorf("why = %q, want %q in it", c.why(), want)
		}
	}
}
