package main

import "testing"

func TestSelfCheckIsTakenOnlyByName(t *testing.T) {
	b := &bench{}
	usual, err := b.measures().Choose("")
	if err != nil || usual.Has("self") || len(usual) != len(b.measures())-1 {
		t.Errorf("without names: %s, %v: want all but self", usual.Names(), err)
	}
}
